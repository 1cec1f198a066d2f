import { float64Of, LatheError, sizeOf, type Tensor } from '../../base/index.ts';
import type { Model } from '../../graph/index.ts';
import type { TaskReport } from '../../metrics/index.ts';
import type { Manifest } from '../../pipeline/index.ts';
import { openSession, type Session, timeInTurns } from '../../runtime/index.ts';
import { type BaselineComparison, headlineOf, isLowerBetter } from '../../train/report/index.ts';
import { type Evaluated, evaluateModel } from '../evaluation.ts';
import type { PackageLearning } from '../package-learning.ts';
import { batchesOf, type Feeds, sampleFeeds } from './trial-feeds.ts';

/** What a smaller form of a model costs beside its source. */
export interface VariantSpeed {
  readonly batch: number;
  readonly sourceMs: number;
  readonly variantMs: number;
  /** How many times faster: below 1 it is slower. */
  readonly ratio: number;
}

/** What it says beside its source, on the same examples. */
export interface VariantScore {
  readonly split: string;
  readonly examples: number;
  /** The metric by which the task is judged, its name for people, and both values. */
  readonly metric: string;
  readonly name: string;
  readonly source: number;
  readonly variant: number;
  readonly interval?: { readonly low: number; readonly high: number };
  /** How much of the source's score it keeps; of a metric that should be low, the source's share of it. */
  readonly kept: number;
  /** The source's score minus the variant's, paired. */
  readonly comparison?: BaselineComparison;
  readonly report: TaskReport;
}

const BATCHES = [1, 8];

/** Both take turns in this process, on samples as long as the package reads. */
export async function measureSpeed(
  source: Model,
  variant: Model,
  manifest: Manifest,
  { threads, rounds }: { readonly threads: number; readonly rounds: number },
): Promise<readonly VariantSpeed[]> {
  const options = { ...(threads > 0 && { threads }), spinning: false };
  const sessions: Session[] = [];
  try {
    for (const model of [source, variant]) sessions.push(await openSession(model, options));
    const speeds: VariantSpeed[] = [];
    for (const batch of BATCHES) {
      const { milliseconds, ratios } = await timeInTurns(sessions, sampleFeeds(manifest, batch), { rounds });
      speeds.push({ batch, sourceMs: milliseconds[0]!, variantMs: milliseconds[1]!, ratio: ratios[1]! });
    }
    return speeds;
  } finally {
    for (const session of sessions) await session.close();
  }
}

/** A batch of eight, of the data where there are some. */
export async function trialBatch(manifest: Manifest, learning: PackageLearning | undefined): Promise<Feeds> {
  if (learning === undefined) return sampleFeeds(manifest, 8);
  return (await batchesOf(learning, learning.splits.test.slice(0, 8), 8))[0]!;
}

/** Rounding in float32 differs with the size of a batch; what integers add to it is of another order. */
const INVARIANT = 1e-3;

/** Whether a row's outputs are the same beside others as alone: within a thousandth of the largest output. */
export async function isBatchInvariant(model: Model, feeds: Feeds): Promise<boolean> {
  const session = await openSession(model);
  try {
    const together = await session.run(feeds);
    const rows = Object.values(feeds)[0]!.dims[0]!;
    for (let row = 0; row < rows; row++) {
      const alone = await session.run(mapValues(feeds, (value) => rowOf(value, row, rows)));
      for (const [name, own] of Object.entries(alone)) {
        const beside = float64Of(rowOf(together[name]!, row, rows));
        const largest = beside.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const far = float64Of(own).some((value, at) => !(Math.abs(value - beside[at]!) <= INVARIANT * largest));
        if (far) return false;
      }
    }
    return true;
  } finally {
    await session.close();
  }
}

function rowOf({ dtype, dims, data }: Tensor, row: number, rows: number): Tensor {
  if (dims[0] !== rows) return { dtype, dims, data };
  const size = sizeOf(dims.slice(1));
  return { dtype, dims: [1, ...dims.slice(1)], data: data.slice(row * size, (row + 1) * size) };
}

function mapValues(feeds: Feeds, map: (value: Tensor) => Tensor): Feeds {
  return Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, map(value)]));
}

/** Evaluates a variant on a split, beside what the source said of it. */
export async function measureScore(
  source: Evaluated,
  variant: Model,
  learning: PackageLearning,
  split: 'validation' | 'test',
  seed: number,
): Promise<VariantScore> {
  const examples = learning.splits[split];
  const evaluated = await evaluateModel(variant, learning, examples, split);
  const [before, after] = [headlineOf(source.report), headlineOf(evaluated.report)];
  const comparison = learning.task.compare?.(source, evaluated, seed);
  const kept = isLowerBetter(before.metric) ? before.value / after.value : after.value / before.value;
  return {
    split,
    examples: examples.length,
    metric: before.metric,
    name: before.name,
    source: before.value,
    variant: after.value,
    ...(after.interval && { interval: after.interval }),
    kept: before.value === after.value ? 1 : kept,
    ...(comparison && { comparison }),
    report: evaluated.report,
  };
}

/** Throws 'unsupported', with how close it came, for a variant that keeps too little of its source's score. */
export function requireBudget({ name, source, variant, kept }: VariantScore, budget: number): void {
  if (kept >= budget) return;
  throw new LatheError(
    'unsupported',
    `the budget is not met: ${name} ${variant.toFixed(4)} of ${source.toFixed(4)} is ${percent(kept)}, expected ${percent(budget)}; nothing is written`,
    { hint: 'Take a lower --budget, another --scheme, or train with more data.' },
  );
}

/** A share in the words of a report: `99.1 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
