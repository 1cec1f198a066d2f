import { type ClassCounts, classCounts } from './class-counts.ts';
import type { Labels } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';

/**
 * The correlation between truth and predictions in [-1, 1], for any number of classes (Matthews 1975; R_K of Gorodkin
 * 2004). 0 when either side has one class only, as in scikit-learn.
 */
export function matthewsCorrelation(truth: Labels, predictions: Labels): Measurement {
  return matthewsCorrelationOf(classCounts(truth, predictions));
}

export function matthewsCorrelationOf(counts: ClassCounts): Measurement {
  const { right, products, predictedSquares, supportSquares } = sums(counts);
  const square = counts.examples * counts.examples;
  const spread = (square - predictedSquares) * (square - supportSquares);
  if (spread === 0) {
    return measurement('matthews', {}, 0, [
      'truth or predictions have one class only: the Matthews correlation counts as 0',
    ]);
  }
  return measurement('matthews', {}, (right * counts.examples - products) / Math.sqrt(spread));
}

/** Agreement beyond chance (Cohen 1960), unweighted. 0 and a warning when chance alone would agree always. */
export function cohenKappa(truth: Labels, predictions: Labels): Measurement {
  return cohenKappaOf(classCounts(truth, predictions));
}

export function cohenKappaOf(counts: ClassCounts): Measurement {
  const { right, products } = sums(counts);
  const observed = right / counts.examples;
  const byChance = products / (counts.examples * counts.examples);
  if (byChance === 1) {
    return measurement('cohen_kappa', { weights: 'none' }, 0, ["there is one class only: Cohen's kappa counts as 0"]);
  }
  return measurement('cohen_kappa', { weights: 'none' }, (observed - byChance) / (1 - byChance));
}

function sums(counts: ClassCounts) {
  let right = 0;
  let products = 0;
  let predictedSquares = 0;
  let supportSquares = 0;
  for (let index = 0; index < counts.labels.length; index++) {
    const predicted = counts.predicted[index]!;
    const support = counts.support[index]!;
    right += counts.truePositives[index]!;
    products += predicted * support;
    predictedSquares += predicted * predicted;
    supportSquares += support * support;
  }
  return { right, products, predictedSquares, supportSquares };
}
