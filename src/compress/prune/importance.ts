import { gradient } from '../../autodiff/index.ts';
import { float64Of, LatheError, sizeOf, type Tensor } from '../../base/index.ts';
import { intOf, type Model, tensorInfo, tensorOf } from '../../graph/index.ts';
import { openSession } from '../../runtime/index.ts';
import type { Dependencies, Unit, WeightSlice } from './dependencies.ts';
import { READERS, type Reader } from './readers.ts';

/** What a unit is worth: a number a unit, a list a group, as in `dependencies.groups`. Higher is more important. */
export type Scores = readonly Float64Array[];

/** What importance is computed from, beside the weights. */
export interface ImportanceData {
  /** The model with a scalar output `loss`, as training has it (see `attachLoss`). */
  readonly withLoss: (model: Model) => Model;
  /** Inputs of the model with its loss; read once. */
  readonly batches: Iterable<Readonly<Record<string, Tensor>>>;
  readonly threads?: number;
  readonly onProgress?: (done: number) => void;
}

/** By weights alone, or by what data do with them. */
export const IMPORTANCES = ['taylor', 'magnitude', 'norm', 'movement', 'wanda'] as const;
export type Importance = (typeof IMPORTANCES)[number];

type Scorer = (dependencies: Dependencies, data: ImportanceData | undefined) => Promise<Scores>;

const SCORERS: Readonly<Record<Importance, Scorer>> = {
  magnitude: async (dependencies) => magnitude(dependencies),
  movement: (dependencies, data) => byGradients(dependencies, needed('movement', data), movement),
  norm: async (dependencies) => normScale(dependencies),
  taylor: (dependencies, data) => byGradients(dependencies, needed('taylor', data), taylor),
  wanda,
};

/**
 * Scores every unit of every group.
 *
 * - `magnitude`: the length (L2) of a unit's weights, over the root of how many they are.
 * - `norm`: the scale of the normalization behind it (Liu et al., network slimming, 2017); magnitude where there is none.
 * - `taylor`: how much the loss would change without it, to first order: the mean over batches of (Σ weight · gradient)²
 *   (Molchanov et al., 2019).
 * - `movement`: −Σ weight · gradient over batches: whether training takes its weights away from zero (Sanh et al., 2020).
 * - `wanda`: Σ |weight| · length of what comes in at it, over the weights that read the unit (Sun et al., 2023).
 *
 * Throws 'usage' where data are needed and not given.
 */
export function importanceOf(dependencies: Dependencies, kind: Importance, data?: ImportanceData): Promise<Scores> {
  return SCORERS[kind](dependencies, data);
}

export function needsData(kind: Importance): boolean {
  return kind !== 'magnitude' && kind !== 'norm';
}

function needed(kind: Importance, data: ImportanceData | undefined): ImportanceData {
  if (data !== undefined) return data;
  throw new LatheError('usage', `importance "${kind}" needs data`, { hint: 'Magnitude and norm need none.' });
}

function scoresBy({ groups }: Dependencies, score: (unit: Unit) => number): Scores {
  return groups.map(({ units }) => Float64Array.from(units, score));
}

/** Visits the elements of a slice. */
function visit(
  dims: readonly number[],
  { axis, indices }: WeightSlice,
  see: (at: number, index: number) => void,
): void {
  const inner = sizeOf(dims.slice(axis + 1));
  const outer = sizeOf(dims.slice(0, axis));
  for (let row = 0; row < outer; row++) {
    for (const index of indices) {
      const start = (row * dims[axis]! + index) * inner;
      for (let at = start; at < start + inner; at++) see(at, index);
    }
  }
}

type Weights = (tensor: string) => Float64Array | undefined;

/** Float weights as numbers, each read once. */
function weightsOf({ model }: Dependencies): Weights {
  const known = new Map<string, Float64Array | undefined>();
  return (tensor) => {
    if (known.has(tensor)) return known.get(tensor);
    const value = model.graph.initializers.get(tensor)!;
    const numbers = value.dtype === 'float32' || value.dtype === 'float16' ? float64Of(tensorOf(value)) : undefined;
    known.set(tensor, numbers);
    return numbers;
  };
}

function magnitude(dependencies: Dependencies): Scores {
  const weights = weightsOf(dependencies);
  const buffers = statistics(dependencies.model);
  return scoresBy(dependencies, ({ slices }) => {
    let sum = 0;
    let count = 0;
    for (const slice of slices) {
      const numbers = buffers.has(slice.tensor) ? undefined : weights(slice.tensor);
      if (numbers === undefined) continue;
      visit(dependencies.model.graph.initializers.get(slice.tensor)!.dims, slice, (at) => {
        sum += numbers[at]! ** 2;
        count++;
      });
    }
    return count === 0 ? 0 : Math.sqrt(sum / count);
  });
}

/** Inputs that are the scale of a normalization, and those that are its running statistics. */
const SCALES: Readonly<Record<string, number>> = {
  BatchNormalization: 1,
  GroupNormalization: 1,
  InstanceNormalization: 1,
  LayerNormalization: 1,
};
const STATISTICS: Readonly<Record<string, readonly number[]>> = { BatchNormalization: [3, 4] };

function statistics(model: Model): ReadonlySet<string> {
  return new Set(
    model.graph.nodes.flatMap(({ opType, inputs }) => (STATISTICS[opType] ?? []).map((index) => inputs[index] ?? '')),
  );
}

function normScale(dependencies: Dependencies): Scores {
  const { model, groups } = dependencies;
  const scales = new Set(
    model.graph.nodes.flatMap(({ opType, inputs }) => (opType in SCALES ? [inputs[SCALES[opType]!] ?? ''] : [])),
  );
  const weights = weightsOf(dependencies);
  const others = magnitude(dependencies);
  return groups.map(({ units }, group) => {
    if (!units[0]!.slices.some(({ tensor }) => scales.has(tensor))) return others[group]!;
    return Float64Array.from(units, ({ slices }) => {
      let sum = 0;
      for (const slice of slices) {
        if (!scales.has(slice.tensor)) continue;
        for (const index of slice.indices) sum += Math.abs(weights(slice.tensor)![index]!);
      }
      return sum;
    });
  });
}

/** What one batch adds to a unit's score, of the sum of weight · gradient over its weights. */
type Addition = (product: number) => number;
const taylor: Addition = (product) => product ** 2;
const movement: Addition = (product) => -product;

async function byGradients(dependencies: Dependencies, data: ImportanceData, addition: Addition): Promise<Scores> {
  const { model, groups } = dependencies;
  const weights = weightsOf(dependencies);
  const buffers = statistics(model);
  const names = [...new Set(groups.flatMap(({ units }) => units[0]!.slices.map(({ tensor }) => tensor)))].filter(
    (name) => !buffers.has(name) && model.graph.initializers.get(name)?.dtype === 'float32',
  );
  const scores = groups.map(({ units }) => new Float64Array(units.length));
  if (names.length === 0) return scores;
  const graph = gradient(data.withLoss(model), { of: 'loss', withRespectTo: names, keep: [] });
  const session = await openSession(graph, data.threads === undefined ? {} : { threads: data.threads });
  try {
    let batches = 0;
    for (const batch of data.batches) {
      const results = await session.run(batch, { outputs: names.map((name) => `${name}_grad`) });
      for (const [group, { units }] of groups.entries()) {
        for (const [unit, { slices }] of units.entries()) {
          let product = 0;
          for (const slice of slices) {
            const slopes = results[`${slice.tensor}_grad`]?.data as Float32Array | undefined;
            const numbers = slopes && weights(slice.tensor);
            if (slopes === undefined || numbers === undefined) continue;
            visit(model.graph.initializers.get(slice.tensor)!.dims, slice, (at) => {
              product += numbers[at]! * slopes[at]!;
            });
          }
          scores[group]![unit]! += addition(product);
        }
      }
      batches++;
      data.onProgress?.(batches);
    }
    return scores.map((own) => own.map((value) => value / Math.max(1, batches)));
  } finally {
    await session.close();
  }
}

async function wanda(dependencies: Dependencies, given: ImportanceData | undefined): Promise<Scores> {
  const data = needed('wanda', given);
  const { model, groups } = dependencies;
  const cutAxes = new Set(
    groups.flatMap(({ units }) => units[0]!.slices.map(({ tensor, axis }) => `${axis} ${tensor}`)),
  );
  const reads = model.graph.nodes.flatMap((node) => {
    const reader = node.domain === '' ? READERS[node.opType] : undefined;
    const tensor = node.inputs[reader?.weight ?? 0] ?? '';
    const weight = model.graph.initializers.get(tensor);
    if (reader === undefined || weight === undefined || intOf(node, 'transA', 0) === 1) return [];
    const axis = reader.weightAxis(node, weight.dims.length);
    if (!cutAxes.has(`${axis} ${tensor}`) || intOf(node, 'group', 1) !== 1) return [];
    return [{ reader, tensor, axis, value: node.inputs[0]! }];
  });
  const squares = await squaresOf(model, reads, data);
  const weights = weightsOf(dependencies);
  return scoresBy(dependencies, ({ slices }) => {
    let sum = 0;
    for (const slice of slices) {
      const of = squares.get(`${slice.axis} ${slice.tensor}`);
      const numbers = of && weights(slice.tensor);
      if (of === undefined || numbers === undefined) continue;
      visit(model.graph.initializers.get(slice.tensor)!.dims, slice, (at, index) => {
        sum += Math.abs(numbers[at]!) * Math.sqrt(of[index]!);
      });
    }
    return sum;
  });
}

/** Sums of squares of each index of what comes in at weights, over all batches. */
async function squaresOf(
  model: Model,
  reads: readonly { readonly reader: Reader; readonly tensor: string; readonly axis: number; readonly value: string }[],
  data: ImportanceData,
): Promise<ReadonlyMap<string, Float64Array>> {
  const sums = new Map<string, Float64Array>();
  const known = new Set(model.graph.outputs.map(({ name }) => name));
  const values = [...new Set(reads.map(({ value }) => value))].filter((value) => !known.has(value));
  const outputs = [...model.graph.outputs, ...values.map((name) => tensorInfo(name, { dtype: 'float32' }))];
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  const session = await openSession(
    { ...model, graph: { ...model.graph, outputs } },
    data.threads === undefined ? {} : { threads: data.threads },
  );
  try {
    let batches = 0;
    for (const batch of data.batches) {
      const feeds = Object.fromEntries(Object.entries(batch).filter(([name]) => inputs.has(name)));
      const results = await session.run(feeds, { outputs: [...new Set(reads.map(({ value }) => value))] });
      for (const { reader, tensor, axis, value } of reads) {
        const { dims, data: elements } = results[value]!;
        const channels = reader.valueAxis(dims.length);
        const key = `${axis} ${tensor}`;
        const own = sums.get(key) ?? new Float64Array(dims[channels]!);
        sums.set(key, own);
        const inner = sizeOf(dims.slice(channels + 1));
        for (let at = 0; at < elements.length; at++)
          own[Math.floor(at / inner) % own.length]! += Number(elements[at]) ** 2;
      }
      batches++;
      data.onProgress?.(batches);
    }
    return sums;
  } finally {
    await session.close();
  }
}
