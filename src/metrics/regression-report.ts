import { bootstrapIntervals, type Interval } from './bootstrap.ts';
import { pearson, spearman } from './correlation.ts';
import type { Values } from './inputs.ts';
import type { Measurement } from './measurement.ts';
import { meanAbsoluteError, meanSquaredError, r2, rootMeanSquaredError } from './regression.ts';

export interface RegressionReportOptions {
  /** Default `regression`. */
  readonly task?: string;
  /** Seed of the bootstrap. Default 0. */
  readonly seed?: number;
  /** Default 1,000, and none above 50,000 examples, where they take seconds; 0 leaves the intervals out. */
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
  const resamples = options.resamples ?? (truth.length > 50_000 ? 0 : 1000);
  const confidence = options.confidence ?? 0.95;
  const signatures = Object.fromEntries(defined.map(([name, one]) => [name, one.signature]));
  const intervals =
    resamples === 0
      ? undefined
      : bootstrapIntervals(truth.length, ['rmse', 'mae', 'r2'], drawnErrors(truth, predictions), {
          seed: options.seed ?? 0,
          resamples,
          confidence,
        });
  if (intervals !== undefined) signatures.intervals = intervals.rmse.signature;
  return {
    task: options.task ?? 'regression',
    examples: truth.length,
    metrics: Object.fromEntries(defined.map(([name, one]) => [name, one.value])),
    ...(intervals === undefined
      ? {}
      : { intervals: { rmse: range(intervals.rmse), mae: range(intervals.mae), r2: range(intervals.r2) }, confidence }),
    signatures,
    warnings: [...new Set(Object.values(measured).flatMap((one) => one.warnings))],
  };
}

function range({ low, high }: Interval): { low: number; high: number } {
  return { low, high };
}

/** The metrics of the examples at `indices`, from residuals that are computed once. */
function drawnErrors(
  truth: Values,
  predictions: Values,
): (indices: Int32Array) => Record<'rmse' | 'mae' | 'r2', number> {
  const residuals = Float64Array.from(truth, (value, index) => value - predictions[index]!);
  return (indices) => {
    let squares = 0;
    let absolutes = 0;
    let sum = 0;
    for (let draw = 0; draw < indices.length; draw++) {
      const residual = residuals[indices[draw]!]!;
      squares += residual * residual;
      absolutes += Math.abs(residual);
      sum += truth[indices[draw]!]!;
    }
    const mean = sum / indices.length;
    let spread = 0;
    for (let draw = 0; draw < indices.length; draw++) spread += (truth[indices[draw]!]! - mean) ** 2;
    return {
      rmse: Math.sqrt(squares / indices.length),
      mae: absolutes / indices.length,
      r2: spread === 0 ? Number.NaN : 1 - squares / spread,
    };
  };
}
