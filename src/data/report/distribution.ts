import type { Growing } from '../growing.ts';

/** How numbers are spread: exact quantiles and counts in bins of equal width. */
export interface Distribution {
  readonly min: number;
  readonly median: number;
  readonly mean: number;
  readonly p95: number;
  readonly max: number;
  /** Counts in bins from 0 on; the last one holds everything beyond. */
  readonly bins: readonly number[];
  readonly binWidth: number;
}

const BINS = 24;

/** The distribution of lengths. Bins reach to the 98th percentile, so that one giant does not flatten all others. */
export function distributionOf(values: Growing<Uint32Array>): Distribution {
  const sorted = values.data.slice(0, values.length).sort();
  if (sorted.length === 0) return { min: 0, median: 0, mean: 0, p95: 0, max: 0, bins: [], binWidth: 1 };
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  const binWidth = roundUp(Math.max(1, (at(0.98) + 1) / (BINS - 1)));
  const bins = new Array<number>(BINS).fill(0);
  let sum = 0;
  for (const value of sorted) {
    bins[Math.min(BINS - 1, Math.floor(value / binWidth))]!++;
    sum += value;
  }
  while (bins.at(-1) === 0) bins.pop();
  return {
    min: sorted[0]!,
    median: at(0.5),
    mean: sum / sorted.length,
    p95: at(0.95),
    max: sorted.at(-1)!,
    bins,
    binWidth,
  };
}

/** Up to 1, 2, 2.5 or 5 times a power of ten: numbers that people like on an axis. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= value && Number.isInteger(factor * power));
  return (step ?? 10) * power;
}
