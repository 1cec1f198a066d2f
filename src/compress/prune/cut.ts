import { DATA_TYPES, formatDims, LatheError, sizeOf } from '../../base/index.ts';
import {
  check,
  describeNode,
  GraphBuilder,
  type InferredValue,
  inferTypes,
  isKnownOperator,
  type Model,
  type Node,
  opsetOf,
  removeDeadNodes,
  SHAPE_RULES,
  type Shape,
  type ShapeContext,
  type StoredTensor,
  type ValueInfo,
} from '../../graph/index.ts';
import { ADJUSTMENTS } from './adjustments.ts';
import type { AxisContext } from './axis-rule.ts';
import type { Dependencies } from './dependencies.ts';

/** Units of a group that go, by their places in `group.units`. */
export interface Removal {
  /** The place of the group in `dependencies.groups`. */
  readonly group: number;
  readonly units: readonly number[];
}

/**
 * The model without these units: every weight loses their slices (the bytes of what stays are copies), and nodes that say
 * lengths themselves (Reshape, Split, Slice, grouped Conv, …) say the new ones. Throws 'usage' where a group would lose
 * its last unit.
 */
export function cut(dependencies: Dependencies, removals: readonly Removal[]): Model {
  const gone = chosen(dependencies, removals);
  const { model } = dependencies;
  if (gone.size === 0) return model;
  const kept = keptIndices(dependencies, gone);
  const initializers = new Map(
    [...model.graph.initializers].map(([name, value]) => [name, withoutIndices(name, value, kept)]),
  );
  const build = new GraphBuilder({ opset: Math.max(13, opsetOf(model) ?? 13), extending: model.graph });
  const nodes = adjusted(dependencies, initializers, kept, build);
  const result: Model = {
    ...model,
    graph: {
      ...model.graph,
      nodes,
      initializers: new Map([...initializers, ...build.initializers]),
      valueInfo: model.graph.valueInfo.map((info) => withNewShape(info, kept)),
    },
  };
  const { model: cleaned } = removeDeadNodes(result);
  expectShapes(dependencies, cleaned, kept);
  check(cleaned);
  return cleaned;
}

/** Which indices of an axis of a value stay; undefined where all do. */
type Kept = (value: string, axis: number) => readonly boolean[] | undefined;

function chosen({ groups }: Dependencies, removals: readonly Removal[]): ReadonlySet<string> {
  const gone = new Set<string>();
  for (const { group, units } of removals) {
    const own = groups[group];
    if (own === undefined) throw new LatheError('usage', `no group ${group}: there are ${groups.length}`);
    const distinct = new Set(units);
    for (const unit of distinct) {
      if (own.units[unit] === undefined) {
        throw new LatheError('usage', `group "${own.name}" has no unit ${unit}: there are ${own.units.length}`);
      }
      gone.add(`${group} ${unit}`);
    }
    if (distinct.size === own.units.length) {
      throw new LatheError('usage', `group "${own.name}" would lose all of its ${own.units.length} units`, {
        hint: 'One of them must stay, or the layer must be removed as a whole.',
      });
    }
  }
  return gone;
}

function keptIndices({ unitsAt }: Dependencies, gone: ReadonlySet<string>): Kept {
  const known = new Map<string, readonly boolean[] | undefined>();
  return (value, axis) => {
    const key = `${axis} ${value}`;
    if (known.has(key)) return known.get(key);
    const stays = unitsAt(value, axis)?.map((place) => place === undefined || !gone.has(place.join(' ')));
    const result = stays?.includes(false) ? stays : undefined;
    known.set(key, result);
    return result;
  };
}

function cutShape(value: string, shape: Shape, kept: Kept): Shape {
  return shape.map((dim, axis) => kept(value, axis)?.filter(Boolean).length ?? dim);
}

function withoutIndices(name: string, value: StoredTensor, kept: Kept): StoredTensor {
  let { dims, content } = value;
  if (value.dims.every((_, axis) => kept(name, axis) === undefined)) return value;
  if (content.kind === 'external') {
    throw new LatheError('io', `weight "${name}" is stored in "${content.location}", which is not loaded`, {
      hint: 'Load it with loadExternalData() first.',
    });
  }
  if (content.kind !== 'bytes' || value.dtype === 'undefined') return value;
  const elementSize = DATA_TYPES[value.dtype].bits / 8;
  for (const axis of value.dims.keys()) {
    const stays = kept(name, axis);
    if (stays === undefined) continue;
    const block = sizeOf(dims.slice(axis + 1)) * elementSize;
    const outer = sizeOf(dims.slice(0, axis));
    const { bytes } = content;
    const length = stays.filter(Boolean).length;
    if (length === 0)
      throw new LatheError('usage', `weight "${name}" ${formatDims(dims)} would lose all of axis ${axis}`);
    const result = new Uint8Array(outer * length * block);
    let at = 0;
    for (let row = 0; row < outer; row++) {
      for (const [index, stay] of stays.entries()) {
        if (!stay) continue;
        const from = (row * stays.length + index) * block;
        result.set(bytes.subarray(from, from + block), at);
        at += block;
      }
    }
    dims = dims.with(axis, length);
    content = { kind: 'bytes', bytes: result };
  }
  return content === value.content ? value : { ...value, dims, content };
}

function withNewShape(info: ValueInfo, kept: Kept): ValueInfo {
  if (info.type?.kind !== 'tensor' || info.type.shape === undefined) return info;
  return { ...info, type: { ...info.type, shape: cutShape(info.name, info.type.shape, kept) } };
}

/** The nodes in their order, each told the new lengths; elements of shapes are followed as they change. */
function adjusted(
  { model, types }: Dependencies,
  initializers: ReadonlyMap<string, StoredTensor>,
  kept: Kept,
  build: GraphBuilder,
): readonly Node[] {
  const opset = opsetOf(model) ?? 1;
  const values = new Map<string, InferredValue>();
  const shapeBefore = (name: string): Shape | undefined => {
    const type = types.get(name)?.type;
    return type?.kind === 'tensor' ? type.shape : undefined;
  };
  const shapeNow = (name: string): Shape | undefined => {
    const shape = shapeBefore(name);
    return shape && cutShape(name, shape, kept);
  };
  const valueNow = (name: string): InferredValue | undefined => {
    const known = values.get(name);
    const before = types.get(name);
    if (known !== undefined || before === undefined) return known;
    const shape = shapeNow(name);
    const value: InferredValue =
      shape === undefined || before.type.kind !== 'tensor' ? before : { ...before, type: { ...before.type, shape } };
    values.set(name, value);
    return value;
  };
  const producers = new Map<string, Node>();
  const nodes: Node[] = [];
  for (const given of model.graph.nodes) {
    const before: AxisContext = {
      node: given,
      opset,
      inputs: given.inputs.map(shapeBefore),
      outputs: given.outputs.map(shapeBefore),
      numbers: (index) => {
        const elements = types.get(given.inputs[index] ?? '')?.elements;
        return elements?.every((element) => typeof element === 'number') ? (elements as readonly number[]) : undefined;
      },
    };
    const start = build.nodes.length;
    const adjustment = given.domain === '' && before.inputs[0] !== undefined ? ADJUSTMENTS[given.opType] : undefined;
    const node =
      adjustment?.({
        node: given,
        build,
        before,
        inputs: given.inputs.map(shapeNow),
        outputs: given.outputs.map(shapeNow),
        elements: (index) => valueNow(given.inputs[index] ?? '')?.elements,
        dtypeOf: (index) => (initializers.get(given.inputs[index]!)?.dtype === 'int32' ? 'int32' : 'int64'),
        pieces: (index) => {
          const producer = producers.get(given.inputs[index]!);
          if (producer?.opType !== 'Concat') return undefined;
          return producer.inputs.map((name) => ({ name, elements: valueNow(name)?.elements }));
        },
        kept: (index, axis) => kept(given.inputs[index]!, axis),
      }) ?? given;
    nodes.push(...build.nodes.slice(start), node);
    for (const name of node.outputs) producers.set(name, node);
    follow(node, opset, valueNow, values, types);
  }
  return nodes;
}

/** Works out anew the elements of what is computed from shapes. */
function follow(
  node: Node,
  opset: number,
  valueNow: (name: string) => InferredValue | undefined,
  values: Map<string, InferredValue>,
  types: ReadonlyMap<string, InferredValue>,
): void {
  if (!isKnownOperator(node) || !node.outputs.some((name) => types.get(name)?.elements !== undefined)) return;
  const context: ShapeContext = {
    node,
    opset,
    inputValue: (index) => valueNow(node.inputs[index] ?? ''),
    input: (index) => {
      const type = valueNow(node.inputs[index] ?? '')?.type;
      return type?.kind === 'tensor' && type.dtype !== 'undefined'
        ? { dtype: type.dtype, ...(type.shape && { shape: type.shape }) }
        : undefined;
    },
    elements: (index) => valueNow(node.inputs[index] ?? '')?.elements,
    infer: () => [],
  };
  for (const [index, value] of SHAPE_RULES[node.opType](context).entries()) {
    const name = node.outputs[index] ?? '';
    if (name !== '' && value !== undefined) values.set(name, value);
  }
}

/** Holds what was cut to what should be left of every value. */
function expectShapes(dependencies: Dependencies, model: Model, kept: Kept): void {
  const types = inferTypes(model);
  for (const node of model.graph.nodes) {
    for (const name of node.outputs) {
      const before = dependencies.types.get(name)?.type;
      const now = types.get(name)?.type;
      if (before?.kind !== 'tensor' || now?.kind !== 'tensor' || !before.shape || !now.shape) continue;
      const expected = cutShape(name, before.shape, kept);
      const differs = expected.some((dim, axis) => typeof dim === 'number' && now.shape![axis] !== dim);
      if (!differs) continue;
      throw new LatheError(
        'unsupported',
        `${describeNode(node)}: after the cut "${name}" should be ${formatDims(expected)}, got ${formatDims(now.shape)}`,
        { hint: 'The length of an axis is computed in a way that cannot be written anew.' },
      );
    }
  }
}
