import { checkColumns, checkProbabilities, type Labels, type Scores } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';

/**
 * The mean squared distance between probabilities and truth (Brier 1950), summed over classes; halved for two classes,
 * where it is then in [0, 1] (scikit-learn `brier_score_loss`, `scale_by_half='auto'`).
 */
export function brierScore(truth: Labels, probabilities: Scores): Measurement {
  const { classes, warnings } = checkProbabilities('brier', truth, probabilities);
  checkColumns('brier', truth, classes);
  let sum = 0;
  for (let row = 0; row < truth.length; row++) {
    const actual = truth[row]!;
    if (classes === 1) {
      sum += 2 * (probabilities[row]! - actual) ** 2;
      continue;
    }
    for (let column = 0; column < classes; column++) {
      sum += (probabilities[row * classes + column]! - (column === actual ? 1 : 0)) ** 2;
    }
  }
  const scale = classes <= 2 ? 0.5 : 1;
  return measurement('brier', { scale }, (scale * sum) / truth.length, warnings);
}
