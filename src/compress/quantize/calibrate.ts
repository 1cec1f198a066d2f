import { float64Of, LatheError, type Tensor } from '../../base/index.ts';
import type { Model } from '../../graph/index.ts';
import { openSession } from '../../runtime/index.ts';
import { BINS, type Histogram, OBSERVERS, type Observer, type Range } from './observers.ts';

export interface CalibrationOptions {
  readonly observer?: Observer;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
  readonly threads?: number;
}

/**
 * The range of each value of a graph over batches of real inputs. The graph runs once a batch, and a second time for
 * observers that look at how values are spread (all but `minMax`). Default `minMax`.
 *
 * Throws 'invalid-data' without batches, and 'diverged' for a value that is not finite.
 */
export async function calibrate(
  model: Model,
  values: readonly string[],
  batches: readonly Readonly<Record<string, Tensor>>[],
  options: CalibrationOptions = {},
): Promise<ReadonlyMap<string, Range>> {
  const { observer = 'minMax', onProgress, signal, threads } = options;
  if (batches.length === 0) throw new LatheError('invalid-data', 'there are no data to calibrate with');
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  const inside = values.filter((name) => !inputs.has(name) && !outputs.has(name));
  const watched: Model = {
    ...model,
    graph: { ...model.graph, outputs: [...model.graph.outputs, ...inside.map((name) => ({ name }))] },
  };
  const session = await openSession(watched, threads === undefined ? {} : { threads });
  const passes = observer === 'minMax' ? 1 : 2;
  let done = 0;
  const walk = async (see: (name: string, value: Float32Array) => void): Promise<void> => {
    for (const feeds of batches) {
      signal?.throwIfAborted();
      const wanted = values.filter((name) => !inputs.has(name));
      const results = await session.run(feeds, { outputs: wanted });
      for (const name of values) {
        const value = inputs.has(name) ? feeds[name]! : results[name]!;
        see(name, value.dtype === 'float32' ? (value.data as Float32Array) : Float32Array.from(float64Of(value)));
      }
      onProgress?.(++done, passes * batches.length);
    }
  };
  try {
    const ranges = new Map<string, Range>();
    await walk((name, value) => {
      let { low, high } = ranges.get(name) ?? { low: 0, high: 0 };
      for (const element of value) {
        if (element < low) low = element;
        if (element > high) high = element;
        if (Number.isNaN(element)) throw new LatheError('diverged', `the value "${name}" is not a number`);
      }
      ranges.set(name, { low, high });
    });
    for (const [name, { low, high }] of ranges)
      if (!Number.isFinite(high - low)) throw new LatheError('diverged', `the value "${name}" is infinite`);
    if (observer === 'minMax') return ranges;
    const histograms = new Map<string, Histogram>();
    for (const [name, range] of ranges) histograms.set(name, { ...range, counts: new Float64Array(BINS) });
    await walk((name, value) => {
      const { low, high, counts } = histograms.get(name)!;
      if (high === low) return;
      const scale = BINS / (high - low);
      for (const element of value) counts[Math.min(BINS - 1, Math.floor((element - low) * scale))]!++;
    });
    return new Map(
      Array.from(histograms, ([name, histogram]) => [
        name,
        histogram.high === histogram.low ? { low: 0, high: 0 } : OBSERVERS[observer](histogram),
      ]),
    );
  } finally {
    await session.close();
  }
}
