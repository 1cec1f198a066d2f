import { float64Of, sizeOf, tensorFrom } from '../../base/index.ts';
import {
  floatOf,
  GraphBuilder,
  intOf,
  intsOf,
  type Model,
  type Node,
  stored,
  stringOf,
  tensorInfo,
  tensorOf,
} from '../../graph/index.ts';
import { openSession } from '../../runtime/index.ts';
import { cut, type Removal } from './cut.ts';
import { type Dependencies, dependenciesOf } from './dependencies.ts';
import type { ImportanceData } from './importance.ts';
import { READERS, type Reader } from './readers.ts';

export interface WithoutConstants {
  readonly model: Model;
  /** Units that never changed, and of these the ones that were always zero. */
  readonly units: number;
  readonly zeros: number;
}

/**
 * The model without units that give the same number for all of the data (a channel that its ReLU never lets through): what
 * they add to the next layer becomes part of its bias. On these data the model gives what it gave; on others it may differ.
 *
 * Considered are units that only matrices and convolutions read. A number other than zero stays where a convolution pads:
 * at the border it would be another.
 */
export async function withoutConstantUnits(
  given: Model,
  data: Pick<ImportanceData, 'batches' | 'threads'>,
): Promise<WithoutConstants> {
  const dependencies = dependenciesOf(given);
  const { model, groups } = dependencies;
  const readings = readingsOf(dependencies);
  const ranges = await rangesOf(
    model,
    [...new Set(readings.flatMap(({ reads }) => reads.map(({ value }) => value)))],
    data,
  );
  const removals: Removal[] = [];
  const added = new Map<Node, Float64Array>();
  let zeros = 0;
  for (const { group, reads } of readings) {
    const constants = [...groups[group]!.units.keys()].filter((unit) =>
      reads.every((read) => {
        const value = constantOf(read, unit, ranges);
        return value === 0 || (value !== undefined && !pads(read.node));
      }),
    );
    // One unit has to stay.
    const units = constants.length === groups[group]!.units.length ? constants.slice(1) : constants;
    if (units.length === 0) continue;
    removals.push({ group, units });
    zeros += units.filter((unit) => reads.every((read) => constantOf(read, unit, ranges) === 0)).length;
    for (const read of reads) {
      for (const unit of units) addContribution(model, read, unit, constantOf(read, unit, ranges)!, added);
    }
  }
  const units = removals.reduce((sum, removal) => sum + removal.units.length, 0);
  if (units === 0) return { model: given, units, zeros };
  return { model: cut(...again(dependencies, withBiases(model, added), removals)), units, zeros };
}

/** A node that sums over the units of a group. */
interface Read {
  readonly node: Node;
  readonly reader: Reader;
  readonly value: string;
  readonly weight: string;
  readonly weightAxis: number;
  /** By unit, the indices that are its own. */
  readonly indices: readonly (readonly number[])[];
}

/** The groups that nothing but weights sums over, with the nodes that do. */
function readingsOf({
  model,
  groups,
  types,
  unitsAt,
}: Dependencies): readonly { group: number; reads: readonly Read[] }[] {
  const reads = new Map<number, Read[]>();
  const refused = new Set<number>();
  const groupsIn = (name: string): Map<number, number> => {
    const type = types.get(name)?.type;
    const found = new Map<number, number>();
    if (type?.kind !== 'tensor') return found;
    for (const axis of type.shape?.keys() ?? [])
      for (const place of unitsAt(name, axis) ?? []) if (place) found.set(place[0], axis);
    return found;
  };
  for (const node of model.graph.nodes) {
    const given = new Set(node.outputs.flatMap((name) => [...groupsIn(name).keys()]));
    const reader = node.domain === '' ? READERS[node.opType] : undefined;
    for (const [index, name] of node.inputs.entries()) {
      for (const [group, axis] of groupsIn(name)) {
        if (given.has(group)) continue;
        const weight = node.inputs[reader?.weight ?? 0] ?? '';
        const dims = model.graph.initializers.get(weight)?.dims;
        const rank = types.get(node.inputs[0] ?? '')?.type;
        const isRead =
          reader !== undefined &&
          dims !== undefined &&
          rank?.kind === 'tensor' &&
          axis === (index === 0 ? reader.valueAxis(rank.shape!.length) : reader.weightAxis(node, dims.length)) &&
          intOf(node, 'group', 1) === 1 &&
          intOf(node, 'transA', 0) === 0 &&
          floatOf(node, 'alpha', 1) === 1 &&
          floatOf(node, 'beta', 1) === 1;
        if (!isRead) refused.add(group);
        else if (index === 0) {
          const weightAxis = reader.weightAxis(node, dims.length);
          const indices = groups[group]!.units.map((): number[] => []);
          for (const [at, place] of unitsAt(name, axis)!.entries())
            if (place?.[0] === group) indices[place[1]]!.push(at);
          const own = reads.get(group) ?? [];
          reads.set(group, [...own, { node, reader, value: name, weight, weightAxis, indices }]);
        }
      }
    }
  }
  return [...reads].filter(([group]) => !refused.has(group)).map(([group, own]) => ({ group, reads: own }));
}

interface Ranges {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** The least and the largest of each channel of values, over all data. */
async function rangesOf(
  model: Model,
  values: readonly string[],
  data: Pick<ImportanceData, 'batches' | 'threads'>,
): Promise<ReadonlyMap<string, Ranges>> {
  const ranges = new Map<string, Ranges>();
  if (values.length === 0) return ranges;
  const known = new Set(model.graph.outputs.map(({ name }) => name));
  const outputs = [
    ...model.graph.outputs,
    ...values.filter((value) => !known.has(value)).map((name) => tensorInfo(name, { dtype: 'float32' })),
  ];
  const axes = new Map(
    model.graph.nodes.flatMap((node): [string, Reader][] => {
      const reader = node.domain === '' ? READERS[node.opType] : undefined;
      return reader === undefined ? [] : [[node.inputs[0]!, reader]];
    }),
  );
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  const session = await openSession(
    { ...model, graph: { ...model.graph, outputs } },
    data.threads === undefined ? {} : { threads: data.threads },
  );
  try {
    for (const batch of data.batches) {
      const feeds = Object.fromEntries(Object.entries(batch).filter(([name]) => inputs.has(name)));
      const results = await session.run(feeds, { outputs: values });
      for (const value of values) {
        const { dims, data: elements } = results[value]!;
        const axis = axes.get(value)!.valueAxis(dims.length);
        const count = dims[axis]!;
        const own = ranges.get(value) ?? {
          low: new Float64Array(count).fill(Number.POSITIVE_INFINITY),
          high: new Float64Array(count).fill(Number.NEGATIVE_INFINITY),
        };
        ranges.set(value, own);
        const inner = sizeOf(dims.slice(axis + 1));
        for (let at = 0; at < elements.length; at++) {
          const channel = Math.floor(at / inner) % count;
          const element = Number(elements[at]);
          // Not a number is no constant.
          own.low[channel] = Number.isNaN(element) ? Number.NEGATIVE_INFINITY : Math.min(own.low[channel]!, element);
          own.high[channel] = Math.max(own.high[channel]!, element);
        }
      }
    }
    return ranges;
  } finally {
    await session.close();
  }
}

/** The number that a unit always gives, where it is one. */
function constantOf({ value, indices }: Read, unit: number, ranges: ReadonlyMap<string, Ranges>): number | undefined {
  const range = ranges.get(value);
  const [first, ...others] = indices[unit]!;
  if (range === undefined || first === undefined) return undefined;
  const number = range.low[first]!;
  const isOne = [first, ...others].every((index) => range.low[index] === number && range.high[index] === number);
  return isOne && Number.isFinite(number) ? number : undefined;
}

function pads(node: Node): boolean {
  if (node.opType !== 'Conv') return false;
  return (
    stringOf(node, 'auto_pad', 'NOTSET').startsWith('SAME') || (intsOf(node, 'pads') ?? []).some((pad) => pad !== 0)
  );
}

/** Adds to each output of a node what a unit of this value gives it. */
function addContribution(model: Model, read: Read, unit: number, value: number, added: Map<Node, Float64Array>): void {
  if (value === 0) return;
  const { dims } = model.graph.initializers.get(read.weight)!;
  const weights = float64Of(tensorOf(model.graph.initializers.get(read.weight)!));
  // Outputs are the first axis of a convolution's weights, and of a matrix the other than what is summed.
  const outputAxis = read.weightAxis === 1 ? 0 : dims.length - 1;
  const strides = dims.map((_, axis) => sizeOf(dims.slice(axis + 1)));
  const sums = added.get(read.node) ?? new Float64Array(dims[outputAxis]!);
  added.set(read.node, sums);
  const own = new Set(read.indices[unit]);
  for (const [at, weight] of weights.entries()) {
    const index = Math.floor(at / strides[read.weightAxis]!) % dims[read.weightAxis]!;
    if (own.has(index)) sums[Math.floor(at / strides[outputAxis]!) % dims[outputAxis]!]! += weight * value;
  }
}

/** Convolutions and Gemm have a place for a bias; behind a MatMul it is added. */
function withBiases(model: Model, added: ReadonlyMap<Node, Float64Array>): Model {
  if (added.size === 0) return model;
  const build = new GraphBuilder({ extending: model.graph });
  const initializers = new Map(model.graph.initializers);
  const nodes = model.graph.nodes.flatMap((node): Node[] => {
    const sums = added.get(node);
    if (sums === undefined) return [node];
    const given = node.inputs[2] ?? '';
    const bias = initializers.get(given);
    const name = build.unique(`${node.inputs[1]!}_constant`);
    const hasPlace = node.opType !== 'MatMul' && (given === '' || bias?.dims.join() === String(sums.length));
    if (hasPlace) {
      const before = bias === undefined ? new Float64Array(sums.length) : float64Of(tensorOf(bias));
      const values = Array.from(sums, (sum, index) => sum + before[index]!);
      initializers.set(name, stored(tensorFrom('float32', values, [sums.length])));
      return [{ ...node, inputs: [node.inputs[0]!, node.inputs[1]!, name] }];
    }
    const spatial = node.opType === 'Conv' ? model.graph.initializers.get(node.inputs[1]!)!.dims.length - 2 : 0;
    const dims = [sums.length, ...Array<number>(spatial).fill(1)];
    initializers.set(name, stored(tensorFrom('float32', Array.from(sums), dims)));
    const without = build.unique(`${node.outputs[0]!}_without`);
    const plus: Node = {
      opType: 'Add',
      domain: '',
      name: '',
      inputs: [without, name],
      outputs: node.outputs,
      attributes: new Map(),
    };
    return [{ ...node, outputs: [without] }, plus];
  });
  return { ...model, graph: { ...model.graph, nodes, initializers } };
}

/** The same removals in a model that has further biases. */
function again(before: Dependencies, model: Model, removals: readonly Removal[]): [Dependencies, Removal[]] {
  const dependencies = dependenciesOf(model);
  const found = removals.map(({ group, units }) => {
    const { tensor, axis, indices } = before.groups[group]!.units[0]!.slices[0]!;
    const same = dependencies.groups.findIndex((own) =>
      own.units[0]!.slices.some(
        (slice) => slice.tensor === tensor && slice.axis === axis && slice.indices.join() === indices.join(),
      ),
    );
    return { group: same, units };
  });
  return [dependencies, found];
}
