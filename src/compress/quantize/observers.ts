/** The values that one place of a graph took over the calibration data: how many lay in each of many bins of equal width. */
export interface Histogram {
  readonly low: number;
  readonly high: number;
  readonly counts: Float64Array;
}

/** The range that integers stand for. It holds zero, which is exact. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

export const BINS = 2048;

/** How a range follows from what was seen: each cuts off what costs more steps than it is worth. */
export const OBSERVERS = {
  /** All that was seen. */
  minMax: ({ low, high }: Histogram): Range => ({ low, high }),
  /** All but the outermost: a hundred-thousandth on each side. */
  percentile: (histogram: Histogram): Range => withoutTails(histogram, 1e-5),
  /** The least squared error of rounding and cutting off together. */
  mse: leastSquaredError,
  /** The least divergence between what was seen and what is left of it (Migacz, 2017). */
  entropy: leastDivergence,
} as const satisfies Readonly<Record<string, (histogram: Histogram) => Range>>;

export type Observer = keyof typeof OBSERVERS;

function withoutTails({ low, high, counts }: Histogram, share: number): Range {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const width = (high - low) / counts.length;
  const edge = (order: 1 | -1): number => {
    let seen = 0;
    for (let step = 0; step < counts.length; step++) {
      seen += counts[order === 1 ? step : counts.length - 1 - step]!;
      if (seen > share * total) return step;
    }
    return 0;
  };
  return { low: Math.min(0, low + edge(1) * width), high: Math.max(0, high - edge(-1) * width) };
}

/** Candidates shrink both ends by the same factor. */
const SHRUNK = Array.from({ length: 80 }, (_, index) => 1 - index / 100);

function leastSquaredError(histogram: Histogram): Range {
  const { low, high, counts } = histogram;
  const width = (high - low) / counts.length;
  let best: Range = { low, high };
  let least = Number.POSITIVE_INFINITY;
  for (const factor of SHRUNK) {
    const range = { low: low * factor, high: high * factor };
    const step = (range.high - range.low) / 255;
    let error = 0;
    for (const [bin, count] of counts.entries()) {
      if (count === 0) continue;
      const value = low + (bin + 0.5) * width;
      const cut = value < range.low ? range.low - value : value > range.high ? value - range.high : 0;
      error += count * (cut === 0 ? (step * step) / 12 : cut * cut);
    }
    if (error < least) [least, best] = [error, range];
  }
  return best;
}

/** Levels on each side of zero, of the sizes of values. */
const LEVELS = 128;

function leastDivergence({ low, high, counts }: Histogram): Range {
  const largest = Math.max(-low, high);
  const sizes = new Float64Array(BINS);
  const width = (high - low) / counts.length;
  for (const [bin, count] of counts.entries()) {
    const size = Math.abs(low + (bin + 0.5) * width);
    sizes[Math.min(BINS - 1, Math.floor((size / largest) * BINS))]! += count;
  }
  let best = BINS;
  let least = Number.POSITIVE_INFINITY;
  for (let end = LEVELS; end <= BINS; end += 16) {
    const divergence = divergenceOf(sizes, end);
    if (divergence < least) [least, best] = [divergence, end];
  }
  const threshold = (largest * best) / BINS;
  return { low: Math.max(low, -threshold), high: Math.min(high, threshold) };
}

/** Kullback-Leibler, of the sizes up to `end` with the rest heaped on the last, from the same in `LEVELS` levels. */
function divergenceOf(sizes: Float64Array, end: number): number {
  const seen = sizes.slice(0, end);
  for (let bin = end; bin < sizes.length; bin++) seen[end - 1]! += sizes[bin]!;
  const left = new Float64Array(end);
  for (let level = 0; level < LEVELS; level++) {
    const [from, to] = [Math.floor((level * end) / LEVELS), Math.floor(((level + 1) * end) / LEVELS)];
    let sum = 0;
    let filled = 0;
    for (let bin = from; bin < to; bin++) {
      sum += sizes[bin]!;
      if (seen[bin] !== 0) filled++;
    }
    for (let bin = from; bin < to; bin++) if (seen[bin] !== 0) left[bin] = sum / filled;
  }
  const [seenTotal, leftTotal] = [seen, left].map((values) => values.reduce((sum, value) => sum + value, 0)) as [
    number,
    number,
  ];
  let divergence = 0;
  for (let bin = 0; bin < end; bin++) {
    const p = seen[bin]! / seenTotal;
    // A bin that nothing is left of costs as much as one with a hair in it.
    const q = Math.max(left[bin]! / leftTotal, 1e-9);
    if (p > 0) divergence += p * Math.log(p / q);
  }
  return divergence;
}
