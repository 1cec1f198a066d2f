import { describe, expect, it } from 'vitest';
import { accuracy, balancedAccuracy, topKAccuracy } from './accuracy.ts';
import { cohenKappa } from './agreement.ts';
import { brierScore } from './brier.ts';
import { expectedCalibrationError } from './calibration.ts';
import { confusionMatrix } from './confusion.ts';
import { pearson, spearman } from './correlation.ts';
import { logLoss } from './log-loss.ts';
import { mcNemar } from './mcnemar.ts';
import { multiLabelPrecisionRecallF1 } from './multi-label.ts';
import { averagePrecision, bestF1Threshold, precisionRecallCurve } from './precision-recall-curve.ts';
import { f1, precision, precisionRecallF1 } from './precision-recall-f1.ts';
import { meanSquaredError, r2 } from './regression.ts';
import { rocAuc, rocCurve } from './roc-curve.ts';

const scores = (...values: number[]) => Float64Array.from(values);

describe('bad input is a named error', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['no examples', () => accuracy([], []), /accuracy: expected at least one example, got none/],
    ['no scored examples', () => rocAuc([], scores()), /roc_auc: expected at least one example/],
    ['lengths', () => confusionMatrix([0, 1], [0]), /expected as many predictions as true values, got 1 and 2/],
    ['a negative label', () => accuracy([0, -1], [0, 0]), /true label of example 1: expected a class index .* got -1/],
    ['a fractional label', () => f1([0, 1], [0.5, 1], { average: 'macro' }), /predicted label of example 0.*got 0.5/],
    ['a NaN label', () => accuracy([0], [Number.NaN]), /predicted label of example 0.*got NaN/],
    ['an id for a label', () => confusionMatrix([0, 4e9], [0, 0]), /expected a class index .* got 4000000000/],
    ['an unknown average', () => precision([0], [0], { average: 'mean' as 'macro' }), /expected average micro/],
    ['a NaN score', () => rocAuc([0, 1], scores(0.5, Number.NaN)), /scores of example 1, class 0: .* got NaN/],
    ['an infinite score', () => rocCurve([0, 1], scores(1, Infinity)), /got Infinity/],
    ['ragged scores', () => precisionRecallCurve([0, 1], scores(1, 2, 3)), /expected scores \[2, classes\], got 3/],
    ['a label without a column', () => logLoss([0, 3], scores(0.5, 0.5, 0.1, 0.9)), /true labels below 2 .* got 3/],
    ['logits for probabilities', () => logLoss([0], scores(-3, 3)), /expected a probability in \[0, 1\], got -3/],
    ['logits for Brier', () => brierScore([0], scores(-3, 3)), /the softmax/],
    ['logits for calibration', () => expectedCalibrationError([0], scores(7, 3)), /got 7/],
    ['no bins', () => expectedCalibrationError([0], scores(1, 0), { bins: 0 }), /expected bins/],
    ['a positive class without a column', () => bestF1Threshold([0], scores(1, 0), { positive: 2 }), /positive class/],
    ['k of 0', () => topKAccuracy([0], scores(1, 0), { k: 0 }), /expected k to be an integer of at least 1, got 0/],
    ['a NaN prediction', () => meanSquaredError([1, 2], [1, Number.NaN]), /mse: prediction 1: .* got NaN/],
    ['an infinite truth', () => spearman([Infinity], [1]), /true value 0: .* got Infinity/],
    ['a label set of 2', () => multiLabelPrecisionRecallF1([0, 2], [0, 1], 2), /true label 1 of example 0: .* got 2/],
    ['ragged label sets', () => multiLabelPrecisionRecallF1([0, 1, 1], [0, 1, 1], 2), /expected \[examples, 2\]/],
    ['McNemar of other examples', () => mcNemar([0, 1], [0, 1], [0]), /got 1 and 2/],
  ])('%s', (_, compute, message) => {
    expect(compute).toThrow(message);
    expect(compute).toThrow(expect.objectContaining({ name: 'LatheError' }));
  });
});

describe('what is not defined is said', () => {
  it.each<[string, { value: number; warnings: readonly string[] }, number, RegExp]>([
    ['ROC AUC of positives alone', rocAuc([1, 1], scores(0.1, 0.2)), Number.NaN, /no example is negative/],
    ['ROC AUC of negatives alone', rocAuc([0, 0], scores(0.1, 0.2)), Number.NaN, /no example is positive/],
    ['average precision of negatives', averagePrecision([0], scores(0.1)), 0, /no example is positive/],
    ['an absent class', rocAuc([0, 1], scores(1, 0, 0, 0, 1, 0)), 1, /class 2 is never true/],
    ['kappa of one class', cohenKappa([1, 1], [1, 1]), 0, /one class only/],
    ['correlation of a constant', pearson([0.1, 0.1, 0.1], [1, 2, 3]), Number.NaN, /truth is constant/],
    ['R² of one example', r2([1], [1]), Number.NaN, /fewer than two/],
    ['balanced accuracy', balancedAccuracy([0, 0], [0, 1]), 0.5, /class 1 is predicted but never true/],
    [
      'precision of a class never predicted',
      precision([0, 1], [0, 0], { average: 1 }),
      0,
      /class 1 is never predicted/,
    ],
    ['probabilities that do not add up', brierScore([0, 1], scores(0.5, 0, 0.1, 0.9)), 0.0675, /1 of 2 rows/],
  ])('%s', (_, { value, warnings }, expected, warning) => {
    if (Number.isNaN(expected)) expect(value).toBeNaN();
    else expect(value).toBeCloseTo(expected, 12);
    expect(warnings.join('\n')).toMatch(warning);
  });

  it('does not warn where all is defined', () => {
    expect(precisionRecallF1([0, 1], [0, 1]).warnings).toEqual([]);
    expect(rocAuc([0, 1], scores(0.2, 0.4)).warnings).toEqual([]);
  });
});

describe('signatures say what was computed', () => {
  it.each([
    [accuracy([0], [0]), 'accuracy'],
    [f1([0], [0], { average: 'macro' }), 'f1|average:macro|zero_division:0'],
    [f1([1], [1], { average: 1 }), 'f1|average:binary|positive:1|zero_division:0'],
    [topKAccuracy([0], scores(1, 0), { k: 5 }), 'top_k_accuracy|k:5'],
    [rocAuc([0, 1], scores(0, 1)), 'roc_auc|average:binary|positive:1'],
    [rocAuc([0, 1, 2], scores(1, 0, 0, 0, 1, 0, 0, 0, 1)), 'roc_auc|average:macro|multi_class:ovr'],
    [logLoss([0], Float32Array.of(1, 0)), 'log_loss|clip:2^-23'],
    [brierScore([0], scores(1, 0)), 'brier|scale:0.5'],
    [expectedCalibrationError([0], scores(1, 0)), 'ece|bins:15|confidence:top1'],
    [spearman([1, 2], [1, 2]), 'spearman|ties:mean'],
  ])('$signature', (measured, signature) => {
    expect(measured.signature).toBe(signature);
  });
});
