import { type PairedBootstrap, pairedBootstrapOfCounts } from './bootstrap.ts';
import { type ClassCounts, classCounts } from './class-counts.ts';
import type { Labels } from './inputs.ts';
import { type McNemar, mcNemar } from './mcnemar.ts';
import { signature } from './measurement.ts';
import { type Average, averageSettings, precisionRecallF1Of } from './precision-recall-f1.ts';

export interface ClassifierComparison {
  /** The signature of the metric that `first` and `second` are values of. */
  readonly metric: string;
  readonly first: number;
  readonly second: number;
  readonly bootstrap: PairedBootstrap;
  readonly mcNemar: McNemar;
}

export interface ComparisonOptions {
  readonly metric: 'accuracy' | 'f1';
  /** Which F1; ignored for accuracy. Default macro. */
  readonly average?: Average;
  readonly seed: number;
  readonly resamples?: number;
  readonly confidence?: number;
}

/** Two classifiers on the same examples: their scores, the paired bootstrap of the difference, and McNemar's test. */
export function compareClassifiers(
  truth: Labels,
  first: Labels,
  second: Labels,
  options: ComparisonOptions,
): ClassifierComparison {
  const test = mcNemar(truth, first, second);
  const average = options.average ?? 'macro';
  const ofCounts = options.metric === 'accuracy' ? accuracyOf : (counts: ClassCounts) => f1Of(counts, average);
  return {
    metric: options.metric === 'accuracy' ? 'accuracy' : signature('f1', averageSettings(average)),
    first: ofCounts(classCounts(truth, first)),
    second: ofCounts(classCounts(truth, second)),
    bootstrap: pairedBootstrapOfCounts(truth, first, second, ofCounts, options),
    mcNemar: test,
  };
}

function accuracyOf(counts: ClassCounts): number {
  return counts.truePositives.reduce((sum, right) => sum + right, 0) / counts.examples;
}

function f1Of(counts: ClassCounts, average: Average): number {
  const scores = precisionRecallF1Of(counts);
  if (typeof average !== 'number') return scores[average].f1;
  return scores.perClass.find((score) => score.label === average)?.f1 ?? 0;
}
