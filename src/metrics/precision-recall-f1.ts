import { LatheError } from '../base/index.ts';
import { type ClassCounts, classCounts } from './class-counts.ts';
import type { Labels } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';

export interface PrecisionRecallF1 {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface ClassScores extends PrecisionRecallF1 {
  /** The class index. */
  readonly label: number;
  /** How often the class is true. */
  readonly support: number;
}

/**
 * How classes become one number: `micro` pools their counts, `macro` is the plain mean, `weighted` the mean weighted by
 * support, and a number stands for that class alone (scikit-learn's `binary`).
 */
export type Average = 'micro' | 'macro' | 'weighted' | number;

export interface ClassificationScores {
  readonly perClass: readonly ClassScores[];
  readonly micro: PrecisionRecallF1;
  readonly macro: PrecisionRecallF1;
  readonly weighted: PrecisionRecallF1;
  readonly warnings: readonly string[];
}

/**
 * Precision, recall and F1 by class and averaged, as scikit-learn's `precision_recall_fscore_support` defines them. A
 * division by zero gives 0 and a warning.
 */
export function precisionRecallF1(truth: Labels, predictions: Labels, only?: readonly number[]): ClassificationScores {
  return precisionRecallF1Of(classCounts(truth, predictions, only));
}

export function precisionRecallF1Of(counts: ClassCounts): ClassificationScores {
  const warnings: string[] = [];
  const perClass = Array.from(counts.labels, (label, index): ClassScores => {
    const support = counts.support[index]!;
    const predicted = counts.predicted[index]!;
    if (predicted === 0) warnings.push(`class ${label} is never predicted: its precision counts as 0`);
    if (support === 0) warnings.push(`class ${label} is never true: its recall counts as 0`);
    return { label, ...ratios(counts.truePositives[index]!, predicted, support), support };
  });
  const mean = (weight: (score: ClassScores) => number): PrecisionRecallF1 => {
    const total = perClass.reduce((sum, score) => sum + weight(score), 0);
    const of = (key: keyof PrecisionRecallF1): number =>
      total === 0 ? 0 : perClass.reduce((sum, score) => sum + weight(score) * score[key], 0) / total;
    return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
  };
  return {
    perClass,
    micro: ratios(sum(counts.truePositives), sum(counts.predicted), sum(counts.support)),
    macro: mean(() => 1),
    weighted: mean((score) => score.support),
    warnings,
  };
}

export function precision(truth: Labels, predictions: Labels, options: { readonly average: Average }): Measurement {
  return one('precision', truth, predictions, options.average);
}

export function recall(truth: Labels, predictions: Labels, options: { readonly average: Average }): Measurement {
  return one('recall', truth, predictions, options.average);
}

export function f1(truth: Labels, predictions: Labels, options: { readonly average: Average }): Measurement {
  return one('f1', truth, predictions, options.average);
}

/** The signature's settings for an average. */
export function averageSettings(average: Average): Readonly<Record<string, string | number>> {
  return typeof average === 'number'
    ? { average: 'binary', positive: average, zero_division: 0 }
    : { average, zero_division: 0 };
}

function one(name: keyof PrecisionRecallF1, truth: Labels, predictions: Labels, average: Average): Measurement {
  const scores = precisionRecallF1(truth, predictions, typeof average === 'number' ? [average] : undefined);
  const chosen = typeof average === 'number' ? scores.perClass[0] : scores[average];
  if (chosen === undefined) {
    throw new LatheError('usage', `${name}: expected average micro, macro, weighted or a class index, got ${average}`);
  }
  return measurement(name, averageSettings(average), chosen[name], scores.warnings);
}

function ratios(truePositives: number, predicted: number, support: number): PrecisionRecallF1 {
  return {
    precision: predicted === 0 ? 0 : truePositives / predicted,
    recall: support === 0 ? 0 : truePositives / support,
    f1: predicted + support === 0 ? 0 : (2 * truePositives) / (predicted + support),
  };
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
