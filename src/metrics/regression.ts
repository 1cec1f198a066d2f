import { checkFinite, checkSameLength, type Values } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';

export function meanSquaredError(truth: Values, predictions: Values): Measurement {
  return measurement('mse', {}, residuals('mse', truth, predictions).squares / truth.length);
}

export function rootMeanSquaredError(truth: Values, predictions: Values): Measurement {
  return measurement('rmse', {}, Math.sqrt(residuals('rmse', truth, predictions).squares / truth.length));
}

export function meanAbsoluteError(truth: Values, predictions: Values): Measurement {
  return measurement('mae', {}, residuals('mae', truth, predictions).absolutes / truth.length);
}

/**
 * The share of the variance that predictions explain (coefficient of determination); negative when they are worse than
 * the mean. Where the truth is constant: 1 for perfect predictions, otherwise 0 (scikit-learn `r2_score`).
 */
export function r2(truth: Values, predictions: Values): Measurement {
  const { squares } = residuals('r2', truth, predictions);
  const mean = meanOf(truth);
  let total = 0;
  for (let index = 0; index < truth.length; index++) total += (truth[index]! - mean) ** 2;
  if (truth.length < 2) {
    return measurement('r2', {}, Number.NaN, ['R² is not defined for fewer than two examples']);
  }
  if (total === 0) return measurement('r2', {}, squares === 0 ? 1 : 0, ['the truth is constant: R² counts as 1 or 0']);
  return measurement('r2', {}, 1 - squares / total);
}

export function meanOf(values: Values | Float64Array): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}

function residuals(metric: string, truth: Values, predictions: Values): { squares: number; absolutes: number } {
  checkSameLength(metric, truth, predictions);
  checkFinite(metric, 'true value', truth);
  checkFinite(metric, 'prediction', predictions);
  let squares = 0;
  let absolutes = 0;
  for (let index = 0; index < truth.length; index++) {
    const residual = truth[index]! - predictions[index]!;
    squares += residual * residual;
    absolutes += Math.abs(residual);
  }
  return { squares, absolutes };
}
