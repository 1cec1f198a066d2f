/** 1234.5 → "1,235"; small numbers keep three digits that count. */
export function count(value: number): string {
  return Math.abs(value) >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString('en-US')
    : Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

export function percent(share: number): string {
  const value = 100 * share;
  return `${value !== 0 && Math.abs(value) < 10 ? value.toFixed(1) : value.toFixed(0)}%`;
}

/** Decimal units, as file managers and disks count. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let scaled = value;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Three decimals, a true minus sign; scores are read to the third digit, no further. */
export function score(value: number): string {
  if (!Number.isFinite(value)) return 'not finite';
  const text = Math.abs(value) >= 1000 ? count(value) : Math.abs(value) >= 10 ? value.toFixed(2) : value.toFixed(3);
  return text.replace('-', '−');
}

export function signed(value: number): string {
  return value > 0 ? `+${score(value)}` : score(value);
}

/** A p-value with as many digits as mean something. */
export function pValue(value: number): string {
  return value < 0.001 ? 'p\u00a0<\u00a00.001' : `p\u00a0=\u00a0${value.toFixed(value < 0.1 ? 3 : 2)}`;
}

/** How many times larger: "40x", "1.3x". */
export function times(ratio: number): string {
  return `${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(1)}×`;
}

const METRIC_NAMES: Readonly<Record<string, string>> = {
  accuracy: 'Accuracy',
  precision: 'Precision',
  recall: 'Recall',
  f1: 'F1',
  balancedAccuracy: 'Balanced accuracy',
  matthews: 'Matthews correlation',
  cohenKappa: 'Cohen’s kappa',
  rocAuc: 'ROC AUC',
  averagePrecision: 'Average precision',
  logLoss: 'Log loss',
  brier: 'Brier score',
  expectedCalibrationError: 'Calibration error',
  top5Accuracy: 'Top-5 accuracy',
  perplexity: 'Perplexity',
  maskAccuracy: 'Masks found',
  masks: 'Masks',
  exactMatch: 'Exact match',
  answeredExactMatch: 'Exact match, answered',
  answeredF1: 'F1, answered',
  noAnswerAccuracy: 'No answer, rightly',
  weightedF1: 'Weighted F1',
  microF1: 'Micro F1',
  macroF1: 'Macro F1',
  subsetAccuracy: 'Subset accuracy',
  hammingLoss: 'Hamming loss',
  mse: 'Mean squared error',
  rmse: 'RMSE',
  mae: 'Mean absolute error',
  r2: 'R²',
  pearson: 'Pearson',
  spearman: 'Spearman',
  meanReciprocalRank: 'Mean reciprocal rank',
  accuracyAt1: 'Found first',
  accuracyAt3: 'Found in 3',
  accuracyAt10: 'Found in 10',
};

/** Of these, less is better. */
const LOWER_IS_BETTER: ReadonlySet<string> = new Set([
  'perplexity',
  'mse',
  'rmse',
  'mae',
  'logLoss',
  'brier',
  'expectedCalibrationError',
  'hammingLoss',
]);

export function isLowerBetter(metric: string): boolean {
  return LOWER_IS_BETTER.has(metric);
}

export function metricName(name: string): string {
  return METRIC_NAMES[name] ?? name;
}
