import { checkColumns, checkProbabilities, type Labels, type Scores } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';

/**
 * The mean negative log probability of the true class, in nats. Probabilities are clipped to [ε, 1 − ε] with the ε of
 * their float type, as in scikit-learn. Scores [examples] are the probabilities of class 1.
 */
export function logLoss(truth: Labels, probabilities: Scores): Measurement {
  const { classes, warnings } = checkProbabilities('log_loss', truth, probabilities);
  checkColumns('log_loss', truth, classes);
  const epsilon = probabilities instanceof Float32Array ? 2 ** -23 : 2 ** -52;
  let sum = 0;
  for (let row = 0; row < truth.length; row++) {
    const ofTruth =
      classes === 1
        ? truth[row] === 1
          ? probabilities[row]!
          : 1 - probabilities[row]!
        : probabilities[row * classes + truth[row]!]!;
    sum -= Math.log(Math.min(1 - epsilon, Math.max(epsilon, ofTruth)));
  }
  return measurement(
    'log_loss',
    { clip: probabilities instanceof Float32Array ? '2^-23' : '2^-52' },
    sum / truth.length,
    warnings,
  );
}
