import type { Labels, Scores } from './inputs.ts';
import type { Measurement } from './measurement.ts';
import { oneVersusRest, type RankingOptions } from './one-versus-rest.ts';
import { sweepThresholds } from './threshold-sweep.ts';

export interface RocCurve {
  /** Descending from infinity, where nothing is predicted positive. */
  readonly thresholds: Float64Array;
  /** NaN where no example is negative. */
  readonly falsePositiveRate: Float64Array;
  /** NaN where no example is positive. */
  readonly truePositiveRate: Float64Array;
  readonly warnings: readonly string[];
}

/** True against false positive rate at every distinct score (scikit-learn `roc_curve` with `drop_intermediate=False`). */
export function rocCurve(truth: Labels, scores: Scores, options: { readonly positive?: number } = {}): RocCurve {
  const sweep = sweepThresholds('ROC curve', truth, scores, options.positive ?? 1);
  const count = sweep.thresholds.length + 1;
  const thresholds = new Float64Array(count);
  const falsePositiveRate = new Float64Array(count);
  const truePositiveRate = new Float64Array(count);
  thresholds[0] = Number.POSITIVE_INFINITY;
  thresholds.set(sweep.thresholds, 1);
  for (let index = 0; index < count; index++) {
    falsePositiveRate[index] = (index === 0 ? 0 : sweep.falsePositives[index - 1]!) / sweep.negatives;
    truePositiveRate[index] = (index === 0 ? 0 : sweep.truePositives[index - 1]!) / sweep.positives;
  }
  const warnings: string[] = [];
  if (sweep.positives === 0) warnings.push('no example is positive: the true positive rate is not defined');
  if (sweep.negatives === 0) warnings.push('no example is negative: the false positive rate is not defined');
  return { thresholds, falsePositiveRate, truePositiveRate, warnings };
}

/**
 * The area under the ROC curve: the chance that a positive scores above a negative, ties counting half (scikit-learn
 * `roc_auc_score`). NaN and a warning where truth has one class only. More than two classes: each against the rest.
 */
export function rocAuc(truth: Labels, scores: Scores, options: RankingOptions = {}): Measurement {
  return oneVersusRest('roc_auc', truth, scores, options, (sweep) => {
    if (sweep.positives === 0 || sweep.negatives === 0) {
      const missing = sweep.positives === 0 ? 'positive' : 'negative';
      return { value: Number.NaN, warning: `no example is ${missing}: ROC AUC is not defined` };
    }
    let twiceArea = 0;
    let previousFalse = 0;
    let previousTrue = 0;
    for (let index = 0; index < sweep.thresholds.length; index++) {
      const right = sweep.truePositives[index]!;
      const wrong = sweep.falsePositives[index]!;
      twiceArea += (wrong - previousFalse) * (right + previousTrue);
      previousFalse = wrong;
      previousTrue = right;
    }
    return { value: twiceArea / (2 * sweep.positives * sweep.negatives) };
  });
}
