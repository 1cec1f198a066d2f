import { LatheError } from '../base/index.ts';
import { checkColumns, checkScores, type Labels, type Scores } from './inputs.ts';

/**
 * What predicting "positive when score >= threshold" gives at every distinct score, from the highest down. Equal scores
 * are one threshold, so that the order of tied examples cannot matter.
 */
export interface ThresholdSweep {
  readonly thresholds: Float64Array;
  readonly truePositives: Float64Array;
  readonly falsePositives: Float64Array;
  readonly positives: number;
  readonly negatives: number;
}

/** One class against the rest. Scores [examples] are those of that class; of scores [examples, classes] its column is taken. */
export function sweepThresholds(metric: string, truth: Labels, scores: Scores, positive: number): ThresholdSweep {
  const classes = checkScores(metric, truth, scores);
  if (classes > 1 && !(positive >= 0 && positive < classes)) {
    throw new LatheError('usage', `${metric}: expected a positive class below ${classes}, got ${positive}`);
  }
  checkColumns(metric, truth, classes === 1 ? Number.POSITIVE_INFINITY : classes);
  return sweepColumn(truth, scores, positive, classes);
}

/** As {@link sweepThresholds}, for inputs already checked. */
export function sweepColumn(truth: Labels, scores: Scores, positive: number, classes: number): ThresholdSweep {
  const examples = truth.length;
  const column = classes === 1 ? 0 : positive;
  let positives = 0;
  for (let row = 0; row < examples; row++) if (truth[row] === positive) positives++;
  const negatives = examples - positives;
  // Sorting the two sides apart and merging them needs no sort of indices: typed arrays sort natively, without a comparator.
  const ofPositives = new Float64Array(positives);
  const ofNegatives = new Float64Array(negatives);
  let nextPositive = 0;
  let nextNegative = 0;
  for (let row = 0; row < examples; row++) {
    const score = scores[row * classes + column]!;
    if (truth[row] === positive) ofPositives[nextPositive++] = score;
    else ofNegatives[nextNegative++] = score;
  }
  ofPositives.sort();
  ofNegatives.sort();
  const thresholds = new Float64Array(examples);
  const truePositives = new Float64Array(examples);
  const falsePositives = new Float64Array(examples);
  let count = 0;
  nextPositive = positives - 1;
  nextNegative = negatives - 1;
  while (nextPositive >= 0 || nextNegative >= 0) {
    const threshold = Math.max(
      nextPositive >= 0 ? ofPositives[nextPositive]! : Number.NEGATIVE_INFINITY,
      nextNegative >= 0 ? ofNegatives[nextNegative]! : Number.NEGATIVE_INFINITY,
    );
    while (nextPositive >= 0 && ofPositives[nextPositive] === threshold) nextPositive--;
    while (nextNegative >= 0 && ofNegatives[nextNegative] === threshold) nextNegative--;
    thresholds[count] = threshold;
    truePositives[count] = positives - 1 - nextPositive;
    falsePositives[count] = negatives - 1 - nextNegative;
    count++;
  }
  return {
    thresholds: thresholds.subarray(0, count),
    truePositives: truePositives.subarray(0, count),
    falsePositives: falsePositives.subarray(0, count),
    positives,
    negatives,
  };
}
