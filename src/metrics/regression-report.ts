import { bootstrapInterval, take } from './bootstrap.ts';
import { pearson, spearman } from './correlation.ts';
import type { Values } from './inputs.ts';
import type { Measurement } from './measurement.ts';
import { meanAbsoluteError, meanSquaredError, r2, rootMeanSquaredError } from './regression.ts';

export interface RegressionReportOptions {
  /** Default `regression`. */
  readonly task?: string;
  /** Seed of the bootstrap. Default 0. */
  readonly seed?: number;
  /** Default 1,000, and none above 100,000 examples, where they take long; 0 leaves the intervals out. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

/** Everything here is plain JSON. Metrics that are not defined for the examples are left out, and `warnings` says so. */
export interface RegressionReport {
  readonly task: string;
  readonly examples: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly intervals?: Readonly<Record<'rmse' | 'mae' | 'r2', { readonly low: number; readonly high: number }>>;
  readonly confidence?: number;
  readonly signatures: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** Every regression metric of one set of predictions. */
export function regressionReport(
  truth: Values,
  predictions: Values,
  options: RegressionReportOptions = {},
): RegressionReport {
  const measured: Readonly<Record<string, Measurement>> = {
    mse: meanSquaredError(truth, predictions),
    rmse: rootMeanSquaredError(truth, predictions),
    mae: meanAbsoluteError(truth, predictions),
    r2: r2(truth, predictions),
    pearson: pearson(truth, predictions),
    spearman: spearman(truth, predictions),
  };
  const defined = Object.entries(measured).filter(([, one]) => Number.isFinite(one.value));
  const resamples = options.resamples ?? (truth.length > 100_000 ? 0 : 1000);
  const confidence = options.confidence ?? 0.95;
  const signatures = Object.fromEntries(defined.map(([name, one]) => [name, one.signature]));
  const actual = Float64Array.from(truth);
  const guessed = Float64Array.from(predictions);
  const range = (metric: (truth: Values, predictions: Values) => Measurement) => {
    const { low, high, signature } = bootstrapInterval(
      actual.length,
      (indices) => metric(take(actual, indices), take(guessed, indices)).value,
      { seed: options.seed ?? 0, resamples, confidence },
    );
    signatures.intervals = signature;
    return { low, high };
  };
  return {
    task: options.task ?? 'regression',
    examples: truth.length,
    metrics: Object.fromEntries(defined.map(([name, one]) => [name, one.value])),
    ...(resamples === 0
      ? {}
      : { intervals: { rmse: range(rootMeanSquaredError), mae: range(meanAbsoluteError), r2: range(r2) }, confidence }),
    signatures,
    warnings: [...new Set(Object.values(measured).flatMap((one) => one.warnings))],
  };
}
