import { checkFinite, checkSameLength, type Values } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';
import { meanOf } from './regression.ts';

/** Linear correlation in [-1, 1]. NaN and a warning where either side is constant. */
export function pearson(truth: Values, predictions: Values): Measurement {
  check('pearson', truth, predictions);
  return correlation('pearson', {}, truth, predictions);
}

/** The correlation of ranks in [-1, 1]; tied values share the mean of their ranks. NaN and a warning where either side is constant. */
export function spearman(truth: Values, predictions: Values): Measurement {
  check('spearman', truth, predictions);
  return correlation('spearman', { ties: 'mean' }, ranks(truth), ranks(predictions));
}

function check(metric: string, truth: Values, predictions: Values): void {
  checkSameLength(metric, truth, predictions);
  checkFinite(metric, 'true value', truth);
  checkFinite(metric, 'prediction', predictions);
}

function correlation(
  name: string,
  settings: Readonly<Record<string, string>>,
  first: Values,
  second: Values,
): Measurement {
  const firstMean = meanOf(first);
  const secondMean = meanOf(second);
  let products = 0;
  let firstSquares = 0;
  let secondSquares = 0;
  let firstConstant = true;
  let secondConstant = true;
  for (let index = 0; index < first.length; index++) {
    const x = first[index]! - firstMean;
    const y = second[index]! - secondMean;
    products += x * y;
    firstSquares += x * x;
    secondSquares += y * y;
    // Compared directly: the squares of a constant are not exactly 0 once its mean is rounded.
    firstConstant &&= first[index] === first[0];
    secondConstant &&= second[index] === second[0];
  }
  if (firstConstant || secondConstant) {
    const side = firstConstant ? 'truth is' : 'predictions are';
    return measurement(name, settings, Number.NaN, [`${side} constant: the correlation is not defined`]);
  }
  const value = products / (Math.sqrt(firstSquares) * Math.sqrt(secondSquares));
  return measurement(name, settings, Math.max(-1, Math.min(1, value)));
}

/** Ranks from 1; tied values share the mean of theirs. */
function ranks(values: Values): Float64Array {
  const sorted = Float64Array.from(values).sort();
  const out = new Float64Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    const first = firstAtLeast(sorted, value);
    let last = first;
    if (sorted[first + 1] === value) last = firstAbove(sorted, value) - 1;
    out[index] = (first + last) / 2 + 1;
  }
  return out;
}

function firstAtLeast(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstAbove(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
