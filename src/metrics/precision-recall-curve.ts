import type { Labels, Scores } from './inputs.ts';
import type { Measurement } from './measurement.ts';
import { oneVersusRest, type RankingOptions } from './one-versus-rest.ts';
import { sweepThresholds } from './threshold-sweep.ts';

export interface PrecisionRecallCurve {
  /** Ascending; predicting positive from `thresholds[i]` upwards gives `precision[i]` and `recall[i]`. */
  readonly thresholds: Float64Array;
  /** One element more than `thresholds`: the last point is (recall 0, precision 1), which no threshold reaches. */
  readonly precision: Float64Array;
  readonly recall: Float64Array;
  readonly warnings: readonly string[];
}

/** Precision and recall at every distinct score (scikit-learn `precision_recall_curve`). Recall is 1 where nothing is positive. */
export function precisionRecallCurve(
  truth: Labels,
  scores: Scores,
  options: { readonly positive?: number } = {},
): PrecisionRecallCurve {
  const sweep = sweepThresholds('precision-recall curve', truth, scores, options.positive ?? 1);
  const count = sweep.thresholds.length;
  const precision = new Float64Array(count + 1);
  const recall = new Float64Array(count + 1);
  for (let index = 0; index < count; index++) {
    const from = count - 1 - index;
    const right = sweep.truePositives[from]!;
    precision[index] = right / (right + sweep.falsePositives[from]!);
    recall[index] = sweep.positives === 0 ? 1 : right / sweep.positives;
  }
  precision[count] = 1;
  return {
    thresholds: sweep.thresholds.toReversed(),
    precision,
    recall,
    warnings: sweep.positives === 0 ? ['no example is positive: recall counts as 1 everywhere'] : [],
  };
}

/**
 * The area under the precision-recall steps, without interpolation: Σ (Rn − Rn−1) Pn (scikit-learn
 * `average_precision_score`). 0 and a warning where nothing is positive. More than two classes: each against the rest.
 */
export function averagePrecision(truth: Labels, scores: Scores, options: RankingOptions = {}): Measurement {
  return oneVersusRest('average_precision', truth, scores, options, (sweep) => {
    if (sweep.positives === 0) return { value: 0, warning: 'no example is positive: average precision counts as 0' };
    let area = 0;
    let previous = 0;
    for (let index = 0; index < sweep.thresholds.length; index++) {
      const right = sweep.truePositives[index]!;
      if (right === previous) continue;
      area += ((right - previous) / sweep.positives) * (right / (right + sweep.falsePositives[index]!));
      previous = right;
    }
    return { value: area };
  });
}

export interface ThresholdChoice {
  /** Predict positive when the score is at least this. */
  readonly threshold: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/**
 * The threshold with the best F1 of the positive class; choose it on validation data, never on test data. Of equal F1
 * the highest threshold. Without positives every F1 is 0, and the threshold is the highest score.
 */
export function bestF1Threshold(
  truth: Labels,
  scores: Scores,
  options: { readonly positive?: number } = {},
): ThresholdChoice {
  const sweep = sweepThresholds('best F1 threshold', truth, scores, options.positive ?? 1);
  let best = 0;
  let bestF1 = -1;
  for (let index = 0; index < sweep.thresholds.length; index++) {
    const right = sweep.truePositives[index]!;
    const f1 = (2 * right) / (right + sweep.falsePositives[index]! + sweep.positives);
    if (f1 > bestF1) {
      best = index;
      bestF1 = f1;
    }
  }
  const right = sweep.truePositives[best]!;
  return {
    threshold: sweep.thresholds[best]!,
    precision: right / (right + sweep.falsePositives[best]!),
    recall: sweep.positives === 0 ? 0 : right / sweep.positives,
    f1: bestF1,
  };
}
