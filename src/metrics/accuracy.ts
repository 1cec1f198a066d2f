import { LatheError } from '../base/index.ts';
import { type ClassCounts, classCounts } from './class-counts.ts';
import { checkColumns, checkLabels, checkSameLength, checkScores, type Labels, type Scores } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';

/** The share of examples whose predicted label is the true one. */
export function accuracy(truth: Labels, predictions: Labels): Measurement {
  checkSameLength('accuracy', truth, predictions);
  checkLabels('accuracy', 'true label', truth);
  checkLabels('accuracy', 'predicted label', predictions);
  let right = 0;
  for (let index = 0; index < truth.length; index++) if (truth[index] === predictions[index]) right++;
  return measurement('accuracy', {}, right / truth.length);
}

/** The mean of the recalls of the classes that occur in the truth (scikit-learn `balanced_accuracy_score`). */
export function balancedAccuracy(truth: Labels, predictions: Labels): Measurement {
  return balancedAccuracyOf(classCounts(truth, predictions));
}

export function balancedAccuracyOf(counts: ClassCounts): Measurement {
  let sum = 0;
  let classes = 0;
  const warnings: string[] = [];
  for (let index = 0; index < counts.labels.length; index++) {
    if (counts.support[index] === 0) {
      warnings.push(`class ${counts.labels[index]} is predicted but never true: balanced accuracy leaves it out`);
      continue;
    }
    sum += counts.truePositives[index]! / counts.support[index]!;
    classes++;
  }
  return measurement('balanced_accuracy', {}, sum / classes, warnings);
}

/**
 * The share of examples whose true class has one of the `k` highest scores. Of equal scores the higher class index
 * ranks first, as in scikit-learn's `top_k_accuracy_score`.
 */
export function topKAccuracy(truth: Labels, scores: Scores, options: { readonly k: number }): Measurement {
  const { k } = options;
  const classes = checkScores('top-k accuracy', truth, scores);
  checkColumns('top-k accuracy', truth, classes);
  if (!Number.isInteger(k) || k < 1) {
    throw new LatheError('usage', `top-k accuracy: expected k to be an integer of at least 1, got ${k}`);
  }
  if (classes === 1) {
    throw new LatheError(
      'shape',
      `top-k accuracy: expected scores [${truth.length}, classes], got one score an example`,
    );
  }
  let right = 0;
  for (let row = 0; row < truth.length; row++) {
    const actual = truth[row]!;
    const score = scores[row * classes + actual]!;
    let ahead = 0;
    for (let column = 0; column < classes; column++) {
      const other = scores[row * classes + column]!;
      if (other > score || (other === score && column > actual)) ahead++;
    }
    if (ahead < k) right++;
  }
  return measurement('top_k_accuracy', { k }, right / truth.length);
}

/**
 * The class with the highest score of each example; of equal scores the lowest index. Scores [examples] are the
 * probabilities of class 1, which is predicted from 0.5 upwards.
 */
export function predictedLabels(truth: Labels, scores: Scores): Int32Array {
  const classes = checkScores('predicted labels', truth, scores);
  const predictions = new Int32Array(truth.length);
  for (let row = 0; row < truth.length; row++) {
    if (classes === 1) {
      predictions[row] = scores[row]! >= 0.5 ? 1 : 0;
      continue;
    }
    let best = 0;
    for (let column = 1; column < classes; column++) {
      if (scores[row * classes + column]! > scores[row * classes + best]!) best = column;
    }
    predictions[row] = best;
  }
  return predictions;
}
