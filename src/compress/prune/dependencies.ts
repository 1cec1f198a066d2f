import { DATA_TYPES } from '../../base/index.ts';
import {
  capturesOf,
  describeNode,
  GraphBuilder,
  type InferredValue,
  inferTypes,
  inlineFunctions,
  isKnownOperator,
  liftConstants,
  type Model,
  type Node,
  opsetOf,
  type Shape,
  type StoredTensor,
  subgraphsOf,
  tensorOf,
} from '../../graph/index.ts';
import type { Axis, AxisContext, Ties } from './axis-rule.ts';
import { AXIS_RULES } from './axis-rules.ts';
import { Units } from './units.ts';

/** Indices of one axis of a weight. */
export interface WeightSlice {
  readonly tensor: string;
  readonly axis: number;
  /** Ascending. */
  readonly indices: readonly number[];
}

/** The least that can be cut: a channel, a neuron, a head, with everything that belongs to it. */
export interface Unit {
  readonly slices: readonly WeightSlice[];
}

/** Units that stand beside each other: the neurons of a layer, its heads, the channels of a stage. */
export interface Group {
  /** The first weight that has a slice in every unit, and the axis. */
  readonly name: string;
  readonly units: readonly Unit[];
  /**
   * Whether units whose weights are zero can be cut without changing what the model gives. It is false where a layer
   * normalization, a mean or a maximum is computed over the units.
   */
  readonly preserving: boolean;
}

/** A weight with two dimensions or more of which nothing can be cut, and why its first axes cannot. */
export interface PinnedWeight {
  readonly tensor: string;
  readonly why: readonly [string, string];
}

export interface Dependencies {
  /** The model that the groups are of: its functions inlined, its Constant nodes lifted. */
  readonly model: Model;
  readonly groups: readonly Group[];
  readonly pinned: readonly PinnedWeight[];
  /** Operators that stop groups because nothing is known of them, with how many of their nodes. */
  readonly unknownOperators: ReadonlyMap<string, number>;
  readonly types: ReadonlyMap<string, InferredValue>;
  /** The unit that each index of an axis belongs to, as `[group, unit]`; undefined where it stays. */
  readonly unitsAt: (
    value: string,
    axis: number,
  ) => readonly (readonly [group: number, unit: number] | undefined)[] | undefined;
}

/**
 * What of a model can be cut, and what must go together (Fang et al., DepGraph, 2023): every operator states which axes
 * of its inputs and outputs are tied, an index at a time, and sets of tied indices grow over the whole graph. Inputs and
 * outputs of the graph keep their shapes, as does what goes through operators that Lathe does not know.
 */
export function dependenciesOf(given: Model): Dependencies {
  const model = withOwnVectors(liftConstants(inlineFunctions(given).model).model);
  const { graph } = model;
  const types = inferTypes(model);
  const units = new Units();
  const labels = labelsOf(types, units);
  const pinAll = (value: string, why: string): void => {
    for (const label of labels.get(value) ?? []) for (let i = 0; i < label.length; i++) units.pin(label.first + i, why);
  };
  for (const { name } of graph.inputs) pinAll(name, `"${name}" is an input of the model`);
  for (const { name } of graph.outputs) pinAll(name, `"${name}" is an output of the model`);
  for (const { values } of graph.sparseInitializers) pinAll(values.name ?? '', `"${values.name}" is stored sparse`);
  for (const [name, { dtype, content }] of graph.initializers) {
    if (content.kind === 'strings' || dtype === 'undefined' || DATA_TYPES[dtype].bits < 8) {
      pinAll(name, `"${name}" holds ${dtype}, of which no part can be cut`);
    }
  }
  const unknownOperators = new Map<string, number>();
  const opset = opsetOf(model) ?? 1;
  for (const node of graph.nodes) {
    if (!isKnownOperator(node)) {
      const name = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
      unknownOperators.set(name, (unknownOperators.get(name) ?? 0) + 1);
    }
    for (const inner of subgraphsOf(node)) {
      for (const name of capturesOf(inner)) pinAll(name, `${describeNode(node)} reads "${name}" inside`);
    }
    tieAxes(node, opset, types, labels, units);
  }
  return { model, types, unknownOperators, ...grouped(model, labels, units) };
}

/**
 * Exporters keep equal weights once, so that vectors of zeros and ones (new biases and scales) tie layers that have nothing
 * to do with each other. Each node that reads such a vector gets its own.
 */
function withOwnVectors(model: Model): Model {
  const { graph } = model;
  const uniform = new Set<string>();
  for (const [name, value] of graph.initializers) {
    if (value.dims.length === 1 && value.dims[0]! > 1 && value.dtype === 'float32' && value.content.kind === 'bytes') {
      const { data } = tensorOf(value);
      if (data.every((element) => element === data[0])) uniform.add(name);
    }
  }
  const build = new GraphBuilder({ extending: graph });
  const read = new Set<string>(graph.outputs.map(({ name }) => name));
  const copies = new Map<string, StoredTensor>();
  const own = (name: string): string => {
    if (!uniform.has(name)) return name;
    if (!read.has(name)) {
      read.add(name);
      return name;
    }
    const copy = build.unique(name);
    const { name: _name, ...value } = graph.initializers.get(name)!;
    copies.set(copy, value);
    return copy;
  };
  const nodes = graph.nodes.map((node) => {
    const inputs = node.inputs.map(own);
    return inputs.every((name, index) => name === node.inputs[index]) ? node : { ...node, inputs };
  });
  if (copies.size === 0) return model;
  return { ...model, graph: { ...graph, nodes, initializers: new Map([...graph.initializers, ...copies]) } };
}

/** The items of an axis in `Units`: `length` in a row from `first`, or none (length 0). */
interface Label {
  readonly first: number;
  readonly length: number;
}

type Labels = ReadonlyMap<string, readonly Label[]>;

function labelsOf(types: ReadonlyMap<string, InferredValue>, units: Units): Labels {
  const labels = new Map<string, readonly Label[]>();
  for (const [name, { type }] of types) {
    if (type.kind !== 'tensor' || type.shape === undefined) continue;
    labels.set(
      name,
      type.shape.map((dim) => {
        const length = typeof dim === 'number' && dim > 1 ? dim : 0;
        return { first: units.add(length), length };
      }),
    );
  }
  return labels;
}

function tieAxes(
  node: Node,
  opset: number,
  types: ReadonlyMap<string, InferredValue>,
  labels: Labels,
  units: Units,
): void {
  const sides = { input: node.inputs, output: node.outputs };
  const shapeOf = (name: string): Shape | undefined => {
    const type = types.get(name)?.type;
    return type?.kind === 'tensor' ? type.shape : undefined;
  };
  const spoken = new Set<string>();
  const keyOf = ({ side, index, axis }: Axis): string => `${side}${index}.${axis}`;
  const labelOf = (place: Axis): Label => {
    spoken.add(keyOf(place));
    return labels.get(sides[place.side][place.index]!)![place.axis]!;
  };
  const why = `${describeNode(node)} keeps its length`;
  const pin = ({ first, length }: Label): void => {
    for (let index = 0; index < length; index++) units.pin(first + index, why);
  };
  const dimOf = ({ side, index, axis }: Axis): Shape[number] => shapeOf(sides[side][index]!)![axis]!;
  /** Ties of an axis with one that has nothing to cut: broadcast where that is of length 1, else it stays. */
  const alone = (place: Axis, other: Axis): void => {
    if (dimOf(other) !== 1) pin(labelOf(place));
  };
  const joined = (a: Axis, b: Axis, join: (a: Label, b: Label) => void): void => {
    const [x, y] = [labelOf(a), labelOf(b)];
    if (x.length > 0 && y.length > 0) join(x, y);
    else if (x.length > 0) alone(a, b);
    else if (y.length > 0) alone(b, a);
  };
  const ties: Ties = {
    same(a, b) {
      joined(a, b, (x, y) => {
        if (x.length === y.length) for (let i = 0; i < x.length; i++) units.join(x.first + i, y.first + i);
        else for (const label of [x, y]) pin(label);
      });
    },
    part(whole, part, from) {
      const [x, y] = [labelOf(whole), labelOf(part)];
      const length = dimOf(part);
      if (typeof length !== 'number' || x.length === 0) {
        for (const label of [x, y]) pin(label);
      } else if (y.length === 0) pin({ first: x.first + from, length });
      else for (let i = 0; i < y.length; i++) units.join(x.first + from + i, y.first + i);
    },
    blocks(short, long) {
      joined(short, long, (x, y) => {
        const size = y.length / x.length;
        for (let i = 0; i < y.length; i++) units.join(x.first + Math.floor(i / size), y.first + i);
      });
    },
    repeats(short, long) {
      joined(short, long, (x, y) => {
        for (let i = 0; i < y.length; i++) units.join(x.first + (i % x.length), y.first + i);
      });
    },
    everyNth(axis, parts) {
      const { first, length } = labelOf(axis);
      const size = length / parts;
      for (let i = size; i < length; i++) units.join(first + (i % size), first + i);
    },
    free(axis) {
      labelOf(axis);
    },
    statistic(axis) {
      const { first, length } = labelOf(axis);
      for (let i = 0; i < length; i++) units.markStatistic(first + i);
    },
  };
  const present = [...node.inputs, ...node.outputs].filter((name) => name !== '');
  if (isKnownOperator(node) && present.every((name) => shapeOf(name) !== undefined)) {
    const context: AxisContext = {
      node,
      opset,
      inputs: node.inputs.map(shapeOf),
      outputs: node.outputs.map(shapeOf),
      numbers: (index) => {
        const elements = types.get(node.inputs[index] ?? '')?.elements;
        return elements?.every((element) => typeof element === 'number') ? (elements as readonly number[]) : undefined;
      },
    };
    AXIS_RULES[node.opType](context, ties);
  }
  for (const side of ['input', 'output'] as const) {
    for (const [index, name] of sides[side].entries()) {
      for (const [axis, label] of (labels.get(name) ?? []).entries()) {
        if (!spoken.has(keyOf({ side, index, axis }))) pin(label);
      }
    }
  }
}

interface Found {
  /** By tensor and axis, in the order of the graph. */
  readonly slices: Map<string, { tensor: string; axis: number; indices: number[] }>;
  isWeight: boolean;
}

function grouped(model: Model, labels: Labels, units: Units): Pick<Dependencies, 'groups' | 'pinned' | 'unitsAt'> {
  const found = new Map<number, Found>();
  const pinned: PinnedWeight[] = [];
  for (const [tensor, { dims, dtype }] of model.graph.initializers) {
    if (dtype === 'undefined') continue;
    const isWeight = DATA_TYPES[dtype].kind === 'float';
    const reasons: string[] = [];
    for (const [axis, { first, length }] of (labels.get(tensor) ?? []).entries()) {
      for (let index = 0; index < length; index++) {
        const set = units.setOf(first + index);
        const why = units.pinOf(set);
        if (why !== undefined) {
          if (index === 0) reasons.push(why);
          continue;
        }
        const unit: Found = found.get(set) ?? { slices: new Map(), isWeight: false };
        found.set(set, unit);
        unit.isWeight ||= isWeight;
        const key = `${axis} ${tensor}`;
        const slice = unit.slices.get(key);
        if (slice === undefined) unit.slices.set(key, { tensor, axis, indices: [index] });
        else slice.indices.push(index);
      }
    }
    if (isWeight && dims.length > 1 && reasons.length === dims.length)
      pinned.push({ tensor, why: [reasons[0]!, reasons[1]!] });
  }
  const groups = new Map<string, { preserving: boolean; readonly sets: number[]; readonly units: Unit[] }>();
  for (const [set, { slices, isWeight }] of found) {
    if (!isWeight) continue;
    const list = [...slices.values()];
    const key = list.map(({ tensor, axis, indices }) => `${axis} ${indices.length} ${tensor}`).join('\n');
    const group = groups.get(key) ?? { preserving: true, sets: [], units: [] };
    groups.set(key, group);
    group.sets.push(set);
    group.units.push({ slices: list });
    group.preserving &&= !units.isStatistic(set);
  }
  // A group of one unit has nothing to choose from.
  const kept = [...groups.values()].filter(({ units: own }) => own.length > 1);
  const places = new Map<number, readonly [number, number]>();
  for (const [group, { sets }] of kept.entries()) {
    for (const [unit, set] of sets.entries()) places.set(set, [group, unit]);
  }
  return {
    groups: kept.map(({ units: own, preserving }) => ({ name: nameOf(own), units: own, preserving })),
    pinned,
    unitsAt(value, axis) {
      const label = labels.get(value)?.[axis];
      if (label === undefined || label.length === 0) return undefined;
      return Array.from({ length: label.length }, (_, index) => places.get(units.setOf(label.first + index)));
    },
  };
}

/** The first weight, preferably a matrix: biases come and go. */
function nameOf(units: readonly Unit[]): string {
  const { tensor, axis } = units[0]!.slices[0]!;
  return `${tensor}[${axis}]`;
}
