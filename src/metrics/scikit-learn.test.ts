import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { accuracy, balancedAccuracy, predictedLabels, topKAccuracy } from './accuracy.ts';
import { cohenKappa, matthewsCorrelation } from './agreement.ts';
import { brierScore } from './brier.ts';
import { expectedCalibrationError, reliabilityTable } from './calibration.ts';
import { confusionMatrix } from './confusion.ts';
import { pearson, spearman } from './correlation.ts';
import { logLoss } from './log-loss.ts';
import { mcNemarOfCounts } from './mcnemar.ts';
import { hammingLoss, multiLabelPrecisionRecallF1, subsetAccuracy } from './multi-label.ts';
import { averagePrecision, precisionRecallCurve } from './precision-recall-curve.ts';
import { type ClassificationScores, precisionRecallF1 } from './precision-recall-f1.ts';
import { meanAbsoluteError, meanSquaredError, r2, rootMeanSquaredError } from './regression.ts';
import { rocAuc, rocCurve } from './roc-curve.ts';

interface Averages {
  readonly perClass: Readonly<Record<'precision' | 'recall' | 'f1', number[]>>;
  readonly micro: Readonly<Record<'precision' | 'recall' | 'f1', number>>;
  readonly macro: Readonly<Record<'precision' | 'recall' | 'f1', number>>;
  readonly weighted: Readonly<Record<'precision' | 'recall' | 'f1', number>>;
}

interface Reliability {
  readonly ece: number;
  readonly reliability: readonly { readonly count: number; readonly confidence: number; readonly accuracy: number }[];
}

interface Fixture {
  readonly labels: readonly {
    readonly name: string;
    readonly truth: number[];
    readonly predictions: number[];
    readonly only: number[] | null;
    readonly expected: Averages & {
      readonly labels: number[];
      readonly support: number[];
      readonly confusion: number[][];
      readonly accuracy: number;
      readonly balancedAccuracy: number;
      readonly matthews: number;
      readonly cohenKappa: number | null;
    };
  }[];
  readonly binary: readonly {
    readonly name: string;
    readonly truth: number[];
    readonly scores: number[];
    readonly expected: Reliability & {
      readonly precisionRecallCurve: Readonly<Record<'precision' | 'recall' | 'thresholds', number[]>>;
      readonly rocCurve: Readonly<Record<'falsePositiveRate' | 'truePositiveRate' | 'thresholds', (number | null)[]>>;
      readonly averagePrecision: number;
      readonly rocAuc: number | null;
      readonly logLoss: number;
      readonly brier: number;
    };
  }[];
  readonly multi: readonly {
    readonly name: string;
    readonly classes: number;
    readonly truth: number[];
    readonly scores: number[];
    readonly expected: Reliability & {
      readonly predictions: number[];
      readonly [metric: string]: unknown;
    };
  }[];
  readonly regression: readonly {
    readonly name: string;
    readonly truth: number[];
    readonly predictions: number[];
    readonly expected: Readonly<Record<string, number | null>>;
  }[];
  readonly multiLabel: readonly {
    readonly name: string;
    readonly labels: number;
    readonly truth: number[];
    readonly predictions: number[];
    readonly expected: Averages & { readonly subsetAccuracy: number; readonly hammingLoss: number };
  }[];
  readonly mcnemar: readonly Readonly<
    Record<'firstOnly' | 'secondOnly' | 'exact' | 'statistic' | 'chiSquare', number>
  >[];
}

const fixture = JSON.parse(readFileSync(new URL('./fixtures/scikit-learn.json', import.meta.url), 'utf8')) as Fixture;

/** Numbers equal to 1e-9, relative above 1; what is not finite is null in the fixture. */
function expectEqual(actual: ArrayLike<number>, expected: readonly (number | null)[]): void {
  expect(actual.length).toBe(expected.length);
  for (let index = 0; index < expected.length; index++) {
    const wanted = expected[index];
    if (wanted === null || wanted === undefined) expect(Number.isFinite(actual[index])).toBe(false);
    else expect(Math.abs(actual[index]! - wanted) / Math.max(1, Math.abs(wanted))).toBeLessThanOrEqual(1e-9);
  }
}

function expectAverages(actual: ClassificationScores, expected: Averages): void {
  for (const key of ['precision', 'recall', 'f1'] as const) {
    expectEqual(
      actual.perClass.map((score) => score[key]),
      expected.perClass[key],
    );
    for (const average of ['micro', 'macro', 'weighted'] as const) {
      expectEqual([actual[average][key]], [expected[average][key]]);
    }
  }
}

function expectReliability(rows: ReturnType<typeof reliabilityTable>, expected: Reliability['reliability']): void {
  for (const key of ['count', 'confidence', 'accuracy'] as const) {
    expectEqual(
      rows.map((row) => row[key]),
      expected.map((row) => row[key]),
    );
  }
}

describe.each(fixture.labels)('labels: $name', ({ truth, predictions, only, expected }) => {
  it('precision, recall and F1 by class and averaged', () => {
    const scores = precisionRecallF1(truth, predictions, only ?? undefined);
    expect(scores.perClass.map((score) => score.label)).toEqual(expected.labels);
    expect(scores.perClass.map((score) => score.support)).toEqual(expected.support);
    expectAverages(scores, expected);
  });

  it('accuracy, balanced accuracy, Matthews, kappa', () => {
    expectEqual([accuracy(truth, predictions).value], [expected.accuracy]);
    expectEqual([balancedAccuracy(truth, predictions).value], [expected.balancedAccuracy]);
    expectEqual([matthewsCorrelation(truth, predictions).value], [expected.matthews]);
    // scikit-learn gives NaN when chance alone agrees always; that is 0 and a warning here.
    expectEqual([cohenKappa(truth, predictions).value], [expected.cohenKappa ?? 0]);
  });

  it('confusion matrix', () => {
    const matrix = confusionMatrix(truth, predictions);
    expectEqual(matrix.counts, expected.confusion.flat());
    if (only === null) expect(matrix.labels).toEqual(expected.labels);
  });
});

describe.each(fixture.binary)('two classes: $name', ({ truth, scores, expected }) => {
  const forClassOne = Float64Array.from(scores);
  const forBoth = Float64Array.from(scores.flatMap((score) => [1 - score, score]));

  it('precision-recall curve and average precision', () => {
    const curve = precisionRecallCurve(truth, forClassOne);
    for (const key of ['precision', 'recall', 'thresholds'] as const) {
      expectEqual(curve[key], expected.precisionRecallCurve[key]);
    }
    expectEqual([averagePrecision(truth, forClassOne).value], [expected.averagePrecision]);
    expectEqual([averagePrecision(truth, forBoth).value], [expected.averagePrecision]);
  });

  it('ROC curve and area', () => {
    const curve = rocCurve(truth, forClassOne);
    for (const key of ['falsePositiveRate', 'truePositiveRate', 'thresholds'] as const) {
      expectEqual(curve[key], expected.rocCurve[key]);
    }
    expectEqual([rocAuc(truth, forClassOne).value], [expected.rocAuc]);
    expectEqual([rocAuc(truth, forBoth).value], [expected.rocAuc]);
  });

  it('log loss, Brier, calibration', () => {
    for (const probabilities of [forClassOne, forBoth]) {
      expectEqual([logLoss(truth, probabilities).value], [expected.logLoss]);
      expectEqual([brierScore(truth, probabilities).value], [expected.brier]);
    }
    expectEqual([expectedCalibrationError(truth, forClassOne).value], [expected.ece]);
    expectReliability(reliabilityTable(truth, forClassOne), expected.reliability);
  });
});

describe.each(fixture.multi)('more classes: $name', ({ truth, scores: list, expected }) => {
  const scores = Float64Array.from(list);

  it.each([
    ['rocAucMacro', rocAuc(truth, scores)],
    ['rocAucWeighted', rocAuc(truth, scores, { average: 'weighted' })],
    ['averagePrecisionMacro', averagePrecision(truth, scores)],
    ['averagePrecisionWeighted', averagePrecision(truth, scores, { average: 'weighted' })],
    ['logLoss', logLoss(truth, scores)],
    ['logLoss32', logLoss(truth, Float32Array.from(list))],
    ['brier', brierScore(truth, scores)],
    ['top2', topKAccuracy(truth, scores, { k: 2 })],
    ['top3', topKAccuracy(truth, scores, { k: 3 })],
    ['ece', expectedCalibrationError(truth, scores)],
  ])('%s', (metric, measured) => {
    const wanted = expected[metric] as number;
    // scikit-learn sums logLoss32 in 32-bit floats, whose rounding is 6e-8 a term.
    const tolerance = metric === 'logLoss32' ? 1e-6 : 1e-9;
    expect(Math.abs(measured.value - wanted)).toBeLessThanOrEqual(tolerance);
  });

  it('predictions and the reliability table', () => {
    expect(Array.from(predictedLabels(truth, scores))).toEqual(expected.predictions);
    expectReliability(reliabilityTable(truth, scores), expected.reliability);
  });
});

describe.each(fixture.regression)('regression: $name', ({ truth, predictions, expected }) => {
  it.each([
    ['mse', meanSquaredError],
    ['rmse', rootMeanSquaredError],
    ['mae', meanAbsoluteError],
    ['r2', r2],
    ['pearson', pearson],
    ['spearman', spearman],
  ] as const)('%s', (metric, measure) => {
    expectEqual([measure(truth, predictions).value], [expected[metric]!]);
  });
});

describe.each(fixture.multiLabel)('multi-label: $name', ({ truth, predictions, labels, expected }) => {
  it('F1, subset accuracy, Hamming loss', () => {
    expectAverages(multiLabelPrecisionRecallF1(truth, predictions, labels), expected);
    expectEqual([subsetAccuracy(truth, predictions, labels).value], [expected.subsetAccuracy]);
    expectEqual([hammingLoss(truth, predictions, labels).value], [expected.hammingLoss]);
  });
});

describe.each(fixture.mcnemar)('McNemar: $firstOnly and $secondOnly', (row) => {
  it('exact and chi-square p-values', () => {
    expectEqual([mcNemarOfCounts(row.firstOnly, row.secondOnly, { method: 'exact' }).pValue], [row.exact]);
    const chiSquare = mcNemarOfCounts(row.firstOnly, row.secondOnly, { method: 'chi-square' });
    expectEqual([chiSquare.statistic, chiSquare.pValue], [row.statistic, row.chiSquare]);
    if (row.chiSquare > 0) expect(Math.abs(chiSquare.pValue / row.chiSquare - 1)).toBeLessThanOrEqual(1e-9);
  });
});
