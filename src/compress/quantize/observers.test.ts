import { describe, expect, it } from 'vitest';
import { random } from '../../base/index.ts';
import { BINS, type Histogram, OBSERVERS, type Observer } from './observers.ts';

function histogramOf(values: readonly number[]): Histogram {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const counts = new Float64Array(BINS);
  for (const value of values) counts[Math.min(BINS - 1, Math.floor(((value - low) / (high - low)) * BINS))]!++;
  return { low, high, counts };
}

/** The squared error of values stored as 255 steps of a range. */
function errorOf(values: readonly number[], { low, high }: { readonly low: number; readonly high: number }): number {
  const step = (high - low) / 255;
  return values.reduce((sum, value) => {
    const stored = Math.min(high, Math.max(low, Math.round(value / step) * step));
    return sum + (stored - value) ** 2;
  }, 0);
}

const draw = random(4);
const normals = Array.from({ length: 20_000 }, () => draw.normal());
const withOutlier = [...normals, 60];

describe('observers', () => {
  it.each(Object.keys(OBSERVERS) as Observer[])(
    '%s gives a range that holds zero, within what was seen',
    (observer) => {
      for (const values of [normals, withOutlier, normals.map(Math.abs), normals.map((value) => -Math.abs(value))]) {
        const histogram = histogramOf(values);
        const { low, high } = OBSERVERS[observer](histogram);
        expect(low).toBeGreaterThanOrEqual(histogram.low);
        expect(low).toBeLessThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(histogram.high);
        expect(high).toBeGreaterThanOrEqual(0);
        expect(high - low).toBeGreaterThan(1);
      }
    },
  );

  it('minMax takes all, an outlier too', () => {
    expect(OBSERVERS.minMax(histogramOf(withOutlier)).high).toBe(60);
  });

  it.each(['percentile', 'entropy'] as const)('%s leaves out one value in twenty thousand', (observer) => {
    const { low, high } = OBSERVERS[observer](
      histogramOf([...withOutlier, ...normals, ...normals, ...normals, ...normals]),
    );
    expect(high).toBeLessThan(10);
    expect(low).toBeLessThan(-2);
  });

  it('mse has no more error than minMax, and less where a few values are far out', () => {
    const spread = [...normals, ...Array.from({ length: 20 }, (_, index) => 7 + index / 10)];
    const histogram = histogramOf(spread);
    expect(errorOf(spread, OBSERVERS.mse(histogram))).toBeLessThanOrEqual(errorOf(spread, histogram) * 1.01);
    // Uniform values are best kept whole.
    const uniform = histogramOf(Array.from({ length: 20_000 }, () => draw.uniform()));
    expect(OBSERVERS.mse(uniform).high).toBeGreaterThan(0.97);
    const heavy = [...normals.map((value) => value / 20), 4, -4];
    expect(errorOf(heavy, OBSERVERS.mse(histogramOf(heavy)))).toBeLessThan(errorOf(heavy, histogramOf(heavy)) + 3.3);
  });
});
