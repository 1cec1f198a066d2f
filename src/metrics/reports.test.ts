import { describe, expect, it } from 'vitest';
import { random } from '../base/index.ts';
import { bootstrapInterval, take } from './bootstrap.ts';
import { reliabilityTable } from './calibration.ts';
import { classificationCurves } from './classification-curves.ts';
import { classificationReport } from './classification-report.ts';
import { bestF1Threshold } from './precision-recall-curve.ts';
import { precisionRecallF1 } from './precision-recall-f1.ts';
import { meanAbsoluteError, r2, rootMeanSquaredError } from './regression.ts';
import { regressionReport } from './regression-report.ts';

const truth = [1, 0, 1, 1, 0, 1];
const scores = Float64Array.of(0.1, 0.9, 0.8, 0.2, 0.4, 0.6, 0.7, 0.3, 0.6, 0.4, 0.2, 0.8);
const labels = ['ham', 'spam'];

describe('classification report', () => {
  it('is about the positive class where there is one', () => {
    const report = classificationReport(truth, scores, labels, {
      positive: 'spam',
      task: 'text-classification',
      seed: 7,
    });
    expect(report).toMatchObject({
      task: 'text-classification',
      examples: 6,
      average: 'binary',
      positive: 'spam',
      metrics: { accuracy: 5 / 6, precision: 1, recall: 0.75, f1: 6 / 7, rocAuc: 7 / 8 },
      perClass: {
        ham: { precision: 2 / 3, recall: 1, f1: 0.8, support: 2 },
        spam: { precision: 1, recall: 0.75, f1: 6 / 7, support: 4 },
      },
      confusion: {
        labels: ['ham', 'spam'],
        counts: [
          [2, 0],
          [1, 3],
        ],
      },
      signatures: { f1: 'f1|average:binary|positive:1|zero_division:0' },
      warnings: [],
    });
    expect(report.intervals!.f1.low).toBeLessThan(6 / 7);
    expect(report.intervals!.f1.high).toBeGreaterThan(6 / 7);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('is the mean over classes otherwise', () => {
    const report = classificationReport(truth, scores, labels);
    expect(report.average).toBe('macro');
    expect(report.positive).toBeUndefined();
    expect(report.metrics.f1).toBeCloseTo((0.8 + 6 / 7) / 2, 12);
    expect(report.signatures.f1).toBe('f1|average:macro|zero_division:0');
  });

  it.each(['ham', 'spam'])('takes one score an example as that of class 1 (positive: %s)', (positive) => {
    const ofSpam = Float64Array.from({ length: 6 }, (_, row) => scores[2 * row + 1]!);
    const both = classificationReport(truth, scores, labels, { positive });
    const one = classificationReport(truth, ofSpam, labels, { positive });
    expect(one.metrics.rocAuc).toBeCloseTo(both.metrics.rocAuc!, 12);
    expect(one.metrics.averagePrecision).toBeCloseTo(both.metrics.averagePrecision!, 12);
    expect(one.perClass).toEqual(both.perClass);
  });

  it('takes predicted labels, and then leaves out what needs scores', () => {
    const report = classificationReport(truth, Int32Array.of(1, 1, 0, 0, 0, 1), labels, { positive: 'spam' });
    expect(Object.keys(report.metrics)).toEqual([
      'accuracy',
      'precision',
      'recall',
      'f1',
      'balancedAccuracy',
      'matthews',
      'cohenKappa',
    ]);
    expect(report.reliability).toBeUndefined();
  });

  it('applies a threshold', () => {
    const strict = classificationReport(truth, scores, labels, { positive: 'spam', threshold: 0.9 });
    expect(strict.confusion!.counts).toEqual([
      [2, 0],
      [3, 1],
    ]);
    expect(strict.threshold).toBe(0.9);
  });

  it('shows only labels that occur, names them in warnings, and leaves out what is not defined', () => {
    const report = classificationReport([0, 0], Int32Array.of(0, 2), ['a', 'never', '__proto__'], { resamples: 0 });
    expect(Object.keys(report.perClass)).toEqual(['a', '__proto__']);
    expect(report.warnings).toContain('class "__proto__" is never true: its recall counts as 0');
    expect(report.intervals).toBeUndefined();
    const oneClass = classificationReport([0, 0], Float64Array.of(0.9, 0.1, 0.8, 0.2), labels);
    expect(oneClass.metrics.rocAuc).toBeUndefined();
    expect(oneClass.warnings).toContain('no example is positive: ROC AUC is not defined');
  });

  it('adds top-5 accuracy where there are more than five labels', () => {
    const six = ['a', 'b', 'c', 'd', 'e', 'f'];
    const report = classificationReport(
      [0, 5],
      Float64Array.of(0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1, 0.2, 0),
      six,
    );
    expect(report.metrics.top5Accuracy).toBe(0.5);
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'an unknown positive',
      () => classificationReport(truth, scores, labels, { positive: 'Spam' }),
      /one of ham, spam, got "Spam"/,
    ],
    [
      'a positive among three',
      () => classificationReport([0], [0], ['a', 'b', 'c'], { positive: 'a' }),
      /two labels, got 3/,
    ],
    ['a name twice', () => classificationReport([0], [0], ['a', 'a']), /distinct labels/],
    ['too few names', () => classificationReport([0, 2], [0, 1], labels), /class indices below 2 .* got 2/],
    [
      'scores for other labels',
      () => classificationReport([0], Float64Array.of(1, 0, 0), labels),
      /expected scores \[1, 2\]/,
    ],
    [
      'a threshold alone',
      () => classificationReport(truth, scores, labels, { threshold: 0.5 }),
      /needs a positive label/,
    ],
    [
      'NaN scores',
      () => classificationReport([0], Float64Array.of(Number.NaN, 1), labels),
      /example 0, class 0: .* NaN/,
    ],
  ])('refuses %s', (_, compute, message) => {
    expect(compute).toThrow(message);
  });
});

describe('threshold with the best F1', () => {
  it('is no worse than any other threshold', () => {
    const source = random(4);
    const actual = Array.from({ length: 200 }, () => source.integer(2));
    const ofOne = Float64Array.from(actual, (label) => Math.round(20 * (0.6 * source.uniform() + 0.4 * label)) / 20);
    const choice = bestF1Threshold(actual, ofOne);
    const f1At = (threshold: number) =>
      precisionRecallF1(
        actual,
        Array.from(ofOne, (score) => (score >= threshold ? 1 : 0)),
        [1],
      ).perClass[0]!;
    expect(f1At(choice.threshold)).toMatchObject({ f1: choice.f1, precision: choice.precision, recall: choice.recall });
    for (const threshold of ofOne) expect(f1At(threshold).f1).toBeLessThanOrEqual(choice.f1);
  });
});

describe('reliability table', () => {
  it('keeps a probability on a bin edge in the bin that ends there, also where the product is rounded up', () => {
    expect(0.55 * 100).toBeGreaterThan(55);
    const full = reliabilityTable([1], Float64Array.of(0.55), { bins: 100 }).find((bin) => bin.count === 1);
    expect(full).toEqual({ from: 0.54, to: 0.55, count: 1, confidence: 0.55, accuracy: 1 });
  });
});

describe('curves for a plot', () => {
  it('keep their ends and their number of points', () => {
    const source = random(6);
    const actual = Array.from({ length: 5000 }, () => source.integer(2));
    const ofOne = Float64Array.from(actual, (label) => 0.7 * source.uniform() + 0.3 * label);
    const [curve, ...others] = classificationCurves(actual, ofOne, labels, { points: 50 });
    expect(others).toEqual([]);
    expect(curve!.label).toBe('spam');
    for (const points of [curve!.precisionRecall, curve!.roc, curve!.f1]) {
      expect(points.length).toBeGreaterThan(25);
      expect(points.length).toBeLessThanOrEqual(51);
    }
    expect(curve!.roc[0]).toEqual({ falsePositiveRate: 0, truePositiveRate: 0 });
    expect(curve!.roc.at(-1)).toEqual({ falsePositiveRate: 1, truePositiveRate: 1 });
    expect(curve!.precisionRecall.at(-1)).toEqual({ precision: 1, recall: 0 });
  });

  it('leave out classes that have none', () => {
    const curves = classificationCurves([0, 1], Float64Array.of(1, 0, 0, 0, 1, 0), ['a', 'b', 'c']);
    expect(curves.map((curve) => curve.label)).toEqual(['a', 'b']);
  });
});

describe('regression report', () => {
  it('has the intervals of its metrics, drawn one by one', () => {
    const source = random(8);
    const actual = Float64Array.from({ length: 100 }, () => source.normal());
    const guesses = actual.map((value) => value + 0.3 * source.normal());
    const { intervals } = regressionReport(actual, guesses, { seed: 5 });
    const one = (metric: typeof r2) =>
      bootstrapInterval(100, (at) => metric(take(actual, at), take(guesses, at)).value, { seed: 5 });
    for (const [name, metric] of [
      ['rmse', rootMeanSquaredError],
      ['mae', meanAbsoluteError],
      ['r2', r2],
    ] as const) {
      expect(intervals![name].low).toBeCloseTo(one(metric).low, 12);
      expect(intervals![name].high).toBeCloseTo(one(metric).high, 12);
    }
  });

  it('holds every metric with intervals', () => {
    const report = regressionReport([1, 2, 3, 4], [1.5, 2, 2.5, 4], { seed: 1 });
    expect(report.metrics).toMatchObject({ mse: 0.125, mae: 0.25, r2: 0.9 });
    expect(report.intervals!.rmse.high).toBeLessThanOrEqual(0.5);
    expect(report.signatures.intervals).toContain('seed:1');
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('leaves out what is not defined', () => {
    const report = regressionReport([1, 2], [3, 3], { resamples: 0 });
    expect(Object.keys(report.metrics)).toEqual(['mse', 'rmse', 'mae', 'r2']);
    expect(report.warnings).toEqual(['predictions are constant: the correlation is not defined']);
  });
});
