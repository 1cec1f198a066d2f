import { accuracy } from './accuracy.ts';
import { type PairedBootstrap, pairedBootstrap, take } from './bootstrap.ts';
import type { Labels } from './inputs.ts';
import { type McNemar, mcNemar } from './mcnemar.ts';
import { signature } from './measurement.ts';
import { type Average, averageSettings, f1 } from './precision-recall-f1.ts';

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
  const actual = Int32Array.from(truth);
  const score =
    (predictions: Int32Array) =>
    (indices: Int32Array): number => {
      const drawnTruth = take(actual, indices);
      const drawn = take(predictions, indices);
      return options.metric === 'accuracy'
        ? accuracy(drawnTruth, drawn).value
        : f1(drawnTruth, drawn, { average }).value;
    };
  const ofFirst = score(Int32Array.from(first));
  const ofSecond = score(Int32Array.from(second));
  const all = Int32Array.from(actual, (_, index) => index);
  return {
    metric: options.metric === 'accuracy' ? 'accuracy' : signature('f1', averageSettings(average)),
    first: ofFirst(all),
    second: ofSecond(all),
    bootstrap: pairedBootstrap(actual.length, ofFirst, ofSecond, options),
    mcNemar: test,
  };
}
