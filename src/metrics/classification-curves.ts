import { checkScores, type Labels, type Scores } from './inputs.ts';
import { precisionRecallCurve } from './precision-recall-curve.ts';
import { rocCurve } from './roc-curve.ts';

/** Curves of one class against the rest, thinned for a plot or a file; plain JSON. */
export interface ClassificationCurves {
  readonly label: string;
  /** From recall 1 to recall 0. */
  readonly precisionRecall: readonly { readonly precision: number; readonly recall: number }[];
  readonly roc: readonly { readonly falsePositiveRate: number; readonly truePositiveRate: number }[];
  /** By ascending threshold: what predicting the class from there upwards gives. */
  readonly f1: readonly {
    readonly threshold: number;
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
  }[];
}

/**
 * Precision-recall, ROC and F1 over thresholds for each class that is both true and not true somewhere; with
 * `positive` for that class index alone. At most about `points` points a curve (default 200), the steepest kept.
 */
export function classificationCurves(
  truth: Labels,
  scores: Scores,
  labels: readonly string[],
  options: { readonly positive?: number; readonly points?: number } = {},
): ClassificationCurves[] {
  const classes = checkScores('curves', truth, scores);
  const chosen = options.positive ?? (classes === 1 ? 1 : undefined);
  const wanted = chosen === undefined ? labels.map((_, label) => label) : [chosen];
  const points = options.points ?? 200;
  const curves: ClassificationCurves[] = [];
  for (const positive of wanted) {
    const roc = rocCurve(truth, scores, { positive });
    if (roc.warnings.length > 0) continue;
    const { thresholds, precision, recall } = precisionRecallCurve(truth, scores, { positive });
    const f1 = Float64Array.from(thresholds, (_, index) => {
      const sum = precision[index]! + recall[index]!;
      return sum === 0 ? 0 : (2 * precision[index]! * recall[index]!) / sum;
    });
    curves.push({
      label: labels[positive]!,
      precisionRecall: thinned([recall, precision], points).map((index) => ({
        precision: precision[index]!,
        recall: recall[index]!,
      })),
      roc: thinned([roc.falsePositiveRate, roc.truePositiveRate], points).map((index) => ({
        falsePositiveRate: roc.falsePositiveRate[index]!,
        truePositiveRate: roc.truePositiveRate[index]!,
      })),
      f1: thinned([thresholds, f1], points).map((index) => ({
        threshold: thresholds[index]!,
        precision: precision[index]!,
        recall: recall[index]!,
        f1: f1[index]!,
      })),
    });
  }
  return curves;
}

/** Indices of points at about equal steps along the path, each axis scaled to its range; ends always stay. */
function thinned(axes: readonly [Float64Array, Float64Array], points: number): number[] {
  const count = axes[0].length;
  if (count <= points) return Array.from({ length: count }, (_, index) => index);
  const scales = axes.map((axis) => {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const value of axis) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return high > low ? 1 / (high - low) : 0;
  });
  const along = new Float64Array(count);
  for (let index = 1; index < count; index++) {
    const x = (axes[0][index]! - axes[0][index - 1]!) * scales[0]!;
    const y = (axes[1][index]! - axes[1][index - 1]!) * scales[1]!;
    along[index] = along[index - 1]! + Math.abs(x) + Math.abs(y);
  }
  const step = along[count - 1]! / (points - 1);
  const kept = [0];
  let next = step;
  for (let index = 1; index < count - 1; index++) {
    if (along[index]! < next) continue;
    kept.push(index);
    next = Math.max(next + step, along[index]!);
  }
  kept.push(count - 1);
  return kept;
}
