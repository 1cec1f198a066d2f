import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { multiLabelReport } from './multi-label-report.ts';

const fixture = JSON.parse(readFileSync(new URL('./fixtures/multi-label-report.json', import.meta.url), 'utf8')) as {
  readonly labels: readonly string[];
  readonly truth: readonly number[];
  readonly predictions: readonly number[];
  readonly metrics: Readonly<Record<string, number>>;
  readonly perClass: Readonly<Record<string, readonly [number, number, number, number]>>;
};

describe('the report of label sets', () => {
  const report = multiLabelReport(fixture.truth, fixture.predictions, fixture.labels, { seed: 1 });

  it('has the numbers of scikit-learn', () => {
    for (const [name, value] of Object.entries(fixture.metrics))
      expect(report.metrics[name], name).toBeCloseTo(value, 12);
    for (const [label, numbers] of Object.entries(fixture.perClass)) {
      const { precision, recall, f1, support } = report.perClass![label]!;
      for (const [at, value] of [precision, recall, f1, support].entries()) expect(value).toBeCloseTo(numbers[at]!, 12);
    }
  });

  it('has intervals around the point', () => {
    const { low, high } = report.intervals!.microF1!;
    expect(low).toBeLessThan(report.metrics.microF1!);
    expect(high).toBeGreaterThan(report.metrics.microF1!);
  });

  it('names a label that is never predicted', () => {
    expect(report.warnings).toEqual(['class "d" is never predicted: its precision counts as 0']);
  });
});
