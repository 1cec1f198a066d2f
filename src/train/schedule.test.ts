import { describe, expect, it } from 'vitest';
import { learningRateAt, type ScheduleOptions } from './schedule.ts';

function rates(steps: number, options: Omit<ScheduleOptions, 'learningRate'>): number[] {
  return Array.from({ length: steps }, (_, index) => learningRateAt(index + 1, steps, { learningRate: 1, ...options }));
}

function expectRates(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [index, rate] of actual.entries()) expect(rate, `step ${index + 1}`).toBeCloseTo(expected[index]!, 12);
}

describe('the learning rate', () => {
  it('rises and falls in lines', () => {
    expectRates(rates(8, { kind: 'linear', warmup: 4 }), [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]);
  });

  it('falls by a cosine', () => {
    const half = Math.SQRT1_2 / 2;
    expectRates(rates(5, { kind: 'cosine', warmup: 1 }), [1, 1, 0.5 + half, 0.5, 0.5 - half]);
  });

  it('stays', () => {
    expectRates(rates(4, { kind: 'constant', warmup: 2 }), [0.5, 1, 1, 1]);
  });

  it('begins at its highest without a warm-up, and takes a share of the steps as one', () => {
    expectRates(rates(4, { kind: 'linear', warmup: 0 }), [1, 0.75, 0.5, 0.25]);
    expectRates(rates(4, { kind: 'constant', warmup: 0.5 }), [0.5, 1, 1, 1]);
  });

  it.each(['linear', 'cosine', 'constant'] as const)('%s is above 0 in every step, and finite', (kind) => {
    for (const steps of [1, 2, 7, 100]) {
      for (const warmup of [0, 0.1, 0.999, 1, 5, 1000]) {
        for (const rate of rates(steps, { kind, warmup })) {
          expect(rate).toBeGreaterThan(0);
          expect(rate).toBeLessThanOrEqual(1);
        }
      }
    }
  });

  it('does not jump', () => {
    for (const kind of ['linear', 'cosine'] as const) {
      const all = rates(100, { kind, warmup: 0.1 });
      for (const [index, rate] of all.slice(1).entries()) expect(Math.abs(rate - all[index]!)).toBeLessThan(0.11);
    }
  });

  it('has to be above 0', () => {
    const options = { kind: 'linear', warmup: 0 } as const;
    for (const learningRate of [0, -1, Number.NaN]) {
      expect(() => learningRateAt(1, 2, { ...options, learningRate })).toThrow('must be above 0');
    }
  });
});
