import { bootstrapIntervals } from './bootstrap.ts';
import { signature } from './measurement.ts';
import { hammingLoss, type LabelSets, multiLabelPrecisionRecallF1, subsetAccuracy } from './multi-label.ts';
import type { TaskReport } from './task-report.ts';

export interface MultiLabelReportOptions {
  /** Default `multi-label-classification`. */
  readonly task?: string;
  /** Seed of the bootstrap. Default 0. */
  readonly seed?: number;
  /** Default 1,000, and none above 50,000 examples, where they take seconds; 0 leaves the intervals out. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

/** Every metric of predicted sets of labels: 0 or 1 for every label of every example, row-major [examples, labels]. */
export function multiLabelReport(
  truth: LabelSets,
  predictions: LabelSets,
  labels: readonly string[],
  options: MultiLabelReportOptions = {},
): TaskReport {
  const width = labels.length;
  const scores = multiLabelPrecisionRecallF1(truth, predictions, width);
  const subset = subsetAccuracy(truth, predictions, width);
  const hamming = hammingLoss(truth, predictions, width);
  const examples = truth.length / width;
  const resamples = options.resamples ?? (examples > 50_000 ? 0 : 1000);
  const confidence = options.confidence ?? 0.95;
  const intervals =
    resamples === 0
      ? undefined
      : bootstrapIntervals(examples, ['microF1', 'subsetAccuracy'], drawn(truth, predictions, width), {
          seed: options.seed ?? 0,
          resamples,
          confidence,
        });
  return {
    task: options.task ?? 'multi-label-classification',
    examples,
    headline: 'microF1',
    metrics: {
      microF1: scores.micro.f1,
      macroF1: scores.macro.f1,
      precision: scores.micro.precision,
      recall: scores.micro.recall,
      subsetAccuracy: subset.value,
      hammingLoss: hamming.value,
    },
    perClass: Object.fromEntries(
      scores.perClass.map(({ label, precision, recall, f1, support }) => [
        labels[label]!,
        { precision, recall, f1, support },
      ]),
    ),
    ...(intervals !== undefined && {
      intervals: Object.fromEntries(Object.entries(intervals).map(([name, { low, high }]) => [name, { low, high }])),
      confidence,
    }),
    signatures: {
      microF1: signature('f1', { average: 'micro' }),
      macroF1: signature('f1', { average: 'macro' }),
      precision: signature('precision', { average: 'micro' }),
      recall: signature('recall', { average: 'micro' }),
      subsetAccuracy: subset.signature,
      hammingLoss: hamming.signature,
      ...(intervals !== undefined && { intervals: intervals.microF1.signature }),
    },
    warnings: scores.warnings.map((warning) =>
      warning.replace(/class (\d+)/, (_, index) => `class "${labels[Number(index)]}"`),
    ),
  };
}

/** Right, predicted and true labels of each example, and whether its whole set is right. */
export interface LabelSetCounts {
  readonly right: Float64Array;
  readonly predicted: Float64Array;
  readonly support: Float64Array;
  readonly whole: Uint8Array;
}

export function labelSetCounts(truth: LabelSets, predictions: LabelSets, width: number): LabelSetCounts {
  const examples = truth.length / width;
  const zeros = (): Float64Array => new Float64Array(examples);
  const counts = { right: zeros(), predicted: zeros(), support: zeros(), whole: new Uint8Array(examples).fill(1) };
  for (let index = 0; index < truth.length; index++) {
    const row = Math.floor(index / width);
    counts.right[row]! += truth[index]! * predictions[index]!;
    counts.predicted[row]! += predictions[index]!;
    counts.support[row]! += truth[index]!;
    if (truth[index] !== predictions[index]) counts.whole[row] = 0;
  }
  return counts;
}

/** Micro F1 of the examples at `indices`. */
export function microF1Of({ right, predicted, support }: LabelSetCounts, indices: Int32Array): number {
  let hits = 0;
  let total = 0;
  for (const index of indices) {
    hits += right[index]!;
    total += predicted[index]! + support[index]!;
  }
  return total === 0 ? 0 : (2 * hits) / total;
}

function drawn(
  truth: LabelSets,
  predictions: LabelSets,
  width: number,
): (indices: Int32Array) => Record<'microF1' | 'subsetAccuracy', number> {
  const counts = labelSetCounts(truth, predictions, width);
  return (indices) => ({
    microF1: microF1Of(counts, indices),
    subsetAccuracy: indices.reduce((sum, index) => sum + counts.whole[index]!, 0) / indices.length,
  });
}
