import { LatheError } from '../base/index.ts';
import { accuracy, balancedAccuracyOf, predictedLabels, topKAccuracy } from './accuracy.ts';
import { cohenKappaOf, matthewsCorrelationOf } from './agreement.ts';
import { bootstrapIntervalsOfCounts } from './bootstrap.ts';
import { brierScore } from './brier.ts';
import { expectedCalibrationError, type ReliabilityBin, reliabilityTable } from './calibration.ts';
import { type ClassCounts, classCounts } from './class-counts.ts';
import { confusionMatrix } from './confusion.ts';
import { checkColumns, checkScores, type Labels, type Scores } from './inputs.ts';
import { logLoss } from './log-loss.ts';
import type { Measurement } from './measurement.ts';
import { signature } from './measurement.ts';
import { averagePrecision } from './precision-recall-curve.ts';
import { averageSettings, type PrecisionRecallF1, precisionRecallF1Of } from './precision-recall-f1.ts';
import { rocAuc } from './roc-curve.ts';

export interface ClassificationReportOptions {
  /** Default `classification`. */
  readonly task?: string;
  /** The label that a two-class task is about (`spam`), by name; the headline numbers are then those of this class. */
  readonly positive?: string;
  /** Predict `positive` from this score upwards instead of the class with the highest score. */
  readonly threshold?: number;
  /** Seed of the bootstrap. Default 0. */
  readonly seed?: number;
  /** Default 1,000; 0 leaves the intervals out. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

/** Everything here is plain JSON. Metrics that are not defined for the examples are left out, and `warnings` says so. */
export interface ClassificationReport {
  readonly task: string;
  readonly examples: number;
  /** What the headline precision, recall and F1 are: of the positive class alone (`binary`), or the mean over classes. */
  readonly average: 'binary' | 'macro';
  readonly positive?: string;
  readonly threshold?: number;
  readonly metrics: {
    readonly accuracy: number;
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
    readonly [name: string]: number;
  };
  readonly averages: Readonly<Record<'micro' | 'macro' | 'weighted', PrecisionRecallF1>>;
  /** By label name, in the order of the class indices; only labels that are true or predicted somewhere. */
  readonly perClass: Readonly<Record<string, PrecisionRecallF1 & { readonly support: number }>>;
  /** Rows = truth. Left out above 1,000 classes. */
  readonly confusion?: { readonly labels: readonly string[]; readonly counts: readonly (readonly number[])[] };
  /** Only with scores. */
  readonly reliability?: readonly ReliabilityBin[];
  /** Bootstrap intervals of the headline metrics. */
  readonly intervals?: Readonly<
    Record<'accuracy' | 'precision' | 'recall' | 'f1', { readonly low: number; readonly high: number }>
  >;
  readonly confidence?: number;
  /** By metric name: what exactly was computed. */
  readonly signatures: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

const MOST_CLASSES_SHOWN = 1000;

/**
 * Every classification metric of one set of predictions.
 *
 * `outcome` is either predicted class indices (Int32Array or numbers) or probabilities (Float64Array or Float32Array,
 * row-major [examples, labels]; [examples] for the probability of class 1 of two). `labels` names the class indices.
 */
export function classificationReport(
  truth: Labels,
  outcome: Labels | Scores,
  labels: readonly string[],
  options: ClassificationReportOptions = {},
): ClassificationReport {
  const positive = positiveClass(labels, options.positive);
  const scores = isScores(outcome) ? oneColumnPerLabel(truth, outcome, labels) : undefined;
  const predictions = scores === undefined ? (outcome as Labels) : predict(truth, scores, positive, options.threshold);
  const counts = classCounts(truth, predictions);
  const nameOf = namesFor(labels, counts);
  const scored = precisionRecallF1Of(counts);
  const average = positive === undefined ? 'macro' : 'binary';
  const headlineOf = (of: ClassCounts): PrecisionRecallF1 => {
    const result = precisionRecallF1Of(of);
    if (positive === undefined) return result.macro;
    return result.perClass.find((score) => score.label === positive) ?? { precision: 0, recall: 0, f1: 0 };
  };
  const headline = headlineOf(counts);
  const settings = averageSettings(positive ?? 'macro');
  const warnings = new Set<string>(scored.warnings);
  const metrics: Record<string, number> = {};
  const signatures: Record<string, string> = {};
  const add = (name: string, measured: Measurement): void => {
    if (Number.isFinite(measured.value)) {
      metrics[name] = measured.value;
      signatures[name] = measured.signature;
    }
    for (const warning of measured.warnings) warnings.add(warning);
  };
  add('accuracy', accuracy(truth, predictions));
  for (const name of ['precision', 'recall', 'f1'] as const) {
    metrics[name] = headline[name];
    signatures[name] = signature(name, settings);
  }
  add('balancedAccuracy', balancedAccuracyOf(counts));
  add('matthews', matthewsCorrelationOf(counts));
  add('cohenKappa', cohenKappaOf(counts));
  if (scores !== undefined) {
    const ranking = positive === undefined ? {} : { positive };
    add('rocAuc', rocAuc(truth, scores, ranking));
    add('averagePrecision', averagePrecision(truth, scores, ranking));
    add('logLoss', logLoss(truth, scores));
    add('brier', brierScore(truth, scores));
    add('expectedCalibrationError', expectedCalibrationError(truth, scores));
    if (labels.length > 5) add('top5Accuracy', topKAccuracy(truth, scores, { k: 5 }));
  }
  const matrix = counts.labels.length <= MOST_CLASSES_SHOWN ? confusionMatrix(truth, predictions) : undefined;
  const confidence = options.confidence ?? 0.95;
  const bootstrap = { seed: options.seed ?? 0, resamples: options.resamples ?? 1000, confidence };
  const intervals =
    matrix === undefined || bootstrap.resamples === 0
      ? undefined
      : bootstrapIntervalsOfCounts(
          matrix,
          {
            accuracy: (of) => of.truePositives.reduce((sum, count) => sum + count, 0) / of.examples,
            precision: (of) => headlineOf(of).precision,
            recall: (of) => headlineOf(of).recall,
            f1: (of) => headlineOf(of).f1,
          },
          bootstrap,
        );
  if (intervals !== undefined) signatures.intervals = intervals.f1.signature;
  const range = (name: 'accuracy' | 'precision' | 'recall' | 'f1') => ({
    low: intervals![name].low,
    high: intervals![name].high,
  });
  return {
    task: options.task ?? 'classification',
    examples: truth.length,
    average,
    ...(positive === undefined ? {} : { positive: labels[positive]! }),
    ...(options.threshold === undefined ? {} : { threshold: options.threshold }),
    metrics: metrics as ClassificationReport['metrics'],
    averages: { micro: scored.micro, macro: scored.macro, weighted: scored.weighted },
    perClass: Object.fromEntries(
      scored.perClass.map(({ label, precision, recall, f1, support }) => [
        nameOf(label),
        { precision, recall, f1, support },
      ]),
    ),
    ...(matrix === undefined
      ? {}
      : {
          confusion: {
            labels: matrix.labels.map(nameOf),
            counts: matrix.labels.map((_, row) =>
              Array.from(matrix.counts.subarray(row * matrix.labels.length, (row + 1) * matrix.labels.length)),
            ),
          },
        }),
    ...(scores === undefined ? {} : { reliability: reliabilityTable(truth, scores) }),
    ...(intervals === undefined
      ? {}
      : {
          intervals: {
            accuracy: range('accuracy'),
            precision: range('precision'),
            recall: range('recall'),
            f1: range('f1'),
          },
          confidence,
        }),
    signatures,
    warnings: Array.from(warnings, (warning) =>
      warning.replace(/class (\d+)/, (_, index) => `class "${nameOf(Number(index))}"`),
    ),
  };
}

function isScores(outcome: Labels | Scores): outcome is Scores {
  return outcome instanceof Float64Array || outcome instanceof Float32Array;
}

function positiveClass(labels: readonly string[], positive: string | undefined): number | undefined {
  if (new Set(labels).size !== labels.length) {
    throw new LatheError('usage', `classification report: expected distinct labels, got ${labels.join(', ')}`);
  }
  if (positive === undefined) return undefined;
  const index = labels.indexOf(positive);
  if (index < 0) {
    throw new LatheError(
      'usage',
      `classification report: expected the positive label to be one of ${labels.join(', ')}, got "${positive}"`,
    );
  }
  if (labels.length > 2) {
    throw new LatheError(
      'usage',
      `classification report: a positive label needs a task of two labels, got ${labels.length}`,
      {
        hint: 'Leave it out: the headline numbers of more than two labels are means over them.',
      },
    );
  }
  return index;
}

/** Scores [examples, labels]; those of class 1 alone get their complement beside them. */
function oneColumnPerLabel(truth: Labels, scores: Scores, labels: readonly string[]): Scores {
  const classes = checkScores('classification report', truth, scores);
  if (classes === labels.length) return scores;
  if (classes !== 1 || labels.length !== 2) {
    throw new LatheError(
      'shape',
      `classification report: expected scores [${truth.length}, ${labels.length}], one column a label, got [${truth.length}, ${classes}]`,
    );
  }
  const both = scores instanceof Float32Array ? new Float32Array(2 * truth.length) : new Float64Array(2 * truth.length);
  for (let row = 0; row < truth.length; row++) {
    both[2 * row] = 1 - scores[row]!;
    both[2 * row + 1] = scores[row]!;
  }
  return both;
}

function predict(
  truth: Labels,
  scores: Scores,
  positive: number | undefined,
  threshold: number | undefined,
): Int32Array {
  checkColumns('classification report', truth, scores.length / truth.length);
  if (threshold === undefined) return predictedLabels(truth, scores);
  if (positive === undefined) {
    throw new LatheError('usage', 'classification report: a threshold needs a positive label');
  }
  return Int32Array.from({ length: truth.length }, (_, row) =>
    scores[2 * row + positive]! >= threshold ? positive : 1 - positive,
  );
}

function namesFor(labels: readonly string[], counts: ClassCounts): (label: number) => string {
  const largest = counts.labels.at(-1)!;
  if (largest >= labels.length) {
    throw new LatheError(
      'shape',
      `classification report: expected class indices below ${labels.length} (the number of labels), got ${largest}`,
    );
  }
  return (label) => labels[label]!;
}
