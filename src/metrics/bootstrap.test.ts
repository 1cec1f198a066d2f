import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { random } from '../base/index.ts';
import { accuracy } from './accuracy.ts';
import { binomial } from './binomial.ts';
import { bootstrapInterval, bootstrapIntervalsOfCounts, pairedBootstrap, take } from './bootstrap.ts';
import { compareClassifiers } from './compare-classifiers.ts';
import { confusionMatrix } from './confusion.ts';
import { mcNemar } from './mcnemar.ts';
import { precisionRecallF1Of } from './precision-recall-f1.ts';
import { rocAuc } from './roc-curve.ts';

const fixture = JSON.parse(readFileSync(new URL('./fixtures/scikit-learn.json', import.meta.url), 'utf8')) as {
  readonly binomial: { readonly trials: number; readonly probability: number; readonly probabilities: number[] };
};

/** Truth, and predictions right for a share of the examples. */
function classifier(seed: number, examples: number, rightShare: number) {
  const source = random(seed);
  const truth = Int32Array.from({ length: examples }, () => source.integer(2));
  const predictions = truth.map((label) => (source.uniform() < rightShare ? label : 1 - label));
  return { truth, predictions };
}

describe('bootstrap interval', () => {
  const { truth, predictions } = classifier(1, 400, 0.8);
  const metric = (indices: Int32Array) => accuracy(take(truth, indices), take(predictions, indices)).value;

  it('is that of the normal approximation for a mean of 400 examples, within the noise of 1,000 resamples', () => {
    const { low, high } = bootstrapInterval(400, metric, { seed: 3 });
    const value = accuracy(truth, predictions).value;
    const half = 1.96 * Math.sqrt((value * (1 - value)) / 400);
    // The end of a 95 % interval over 1,000 resamples has a standard error of about 0.08 of the half width.
    expect(Math.abs(value - half - low) / half).toBeLessThan(0.3);
    expect(Math.abs(value + half - high) / half).toBeLessThan(0.3);
  });

  it('repeats with its seed, and says it in its signature', () => {
    const first = bootstrapInterval(400, metric, { seed: 3 });
    expect(bootstrapInterval(400, metric, { seed: 3 })).toEqual(first);
    expect(bootstrapInterval(400, metric, { seed: 4 })).not.toEqual(first);
    expect(first.signature).toBe('bootstrap|interval:percentile|confidence:0.95|resamples:1000|seed:3');
  });

  it('leaves out resamples in which the metric is not defined, and counts them', () => {
    const labels = Int32Array.of(0, 0, 1);
    const scores = Float64Array.of(0.1, 0.9, 0.5);
    const interval = bootstrapInterval(3, (at) => rocAuc(take(labels, at), take(scores, at)).value, { seed: 1 });
    // No positive: (2/3)^3; no negative: (1/3)^3; together a third of the resamples.
    expect(interval.undefinedResamples).toBeGreaterThan(250);
    expect(interval.undefinedResamples).toBeLessThan(420);
    expect([interval.low, interval.high]).toEqual([0, 1]);
  });

  it('of counts agrees with the one that draws every example', () => {
    const matrix = confusionMatrix(truth, predictions);
    const { accuracy: ofCounts, f1 } = bootstrapIntervalsOfCounts(
      matrix,
      {
        accuracy: (counts) => precisionRecallF1Of(counts).micro.recall,
        f1: (counts) => precisionRecallF1Of(counts).macro.f1,
      },
      { seed: 5 },
    );
    const drawn = bootstrapInterval(400, metric, { seed: 3 });
    expect(Math.abs(ofCounts.low - drawn.low)).toBeLessThan(0.015);
    expect(Math.abs(ofCounts.high - drawn.high)).toBeLessThan(0.015);
    expect(f1.low).toBeLessThan(f1.high);
  });

  it.each([
    [{ seed: 1, resamples: 0 }, 10, /expected resamples/],
    [{ seed: 1, confidence: 95 }, 10, /expected confidence between 0 and 1, got 95/],
    [{ seed: 1 }, 0, /at least one example/],
  ])('refuses %j', (options, examples, message) => {
    expect(() => bootstrapInterval(examples, () => 1, options)).toThrow(message);
  });
});

describe('binomial numbers', () => {
  it.each([
    ['by rejection', fixture.binomial.trials, fixture.binomial.probability, fixture.binomial.probabilities],
    ['mirrored', 60, 0.65, fixture.binomial.probabilities.toReversed()],
    ['by inversion', 3, 0.5, [1 / 8, 3 / 8, 3 / 8, 1 / 8]],
  ])('follow the distribution (%s)', (_, trials, probability, probabilities) => {
    const source = random(11);
    const draws = 100_000;
    const seen = new Float64Array(trials + 1);
    for (let draw = 0; draw < draws; draw++) seen[binomial(source, trials, probability)]!++;
    let chiSquare = 0;
    let cells = 0;
    probabilities.forEach((share, value) => {
      if (share * draws < 20) return;
      chiSquare += (seen[value]! - share * draws) ** 2 / (share * draws);
      cells++;
    });
    // Far in the tail of chi-square: the mean plus five standard deviations.
    expect(chiSquare).toBeLessThan(cells + 5 * Math.sqrt(2 * cells));
  });

  it('keeps to the ends', () => {
    const source = random(1);
    expect([binomial(source, 10, 0), binomial(source, 10, 1), binomial(source, 0, 0.5)]).toEqual([0, 10, 0]);
  });
});

describe('two models on the same examples', () => {
  const { truth, predictions } = classifier(2, 600, 0.9);
  const worse = classifier(2, 600, 0.7).predictions;

  it('tells a real difference', () => {
    const {
      bootstrap,
      mcNemar: test,
      first,
      second,
      metric,
    } = compareClassifiers(truth, predictions, worse, {
      metric: 'f1',
      average: 1,
      seed: 1,
    });
    expect(metric).toBe('f1|average:binary|positive:1|zero_division:0');
    expect(bootstrap.difference).toBeCloseTo(first - second, 12);
    expect(bootstrap.low).toBeGreaterThan(0);
    expect(bootstrap.pValue).toBeLessThan(0.01);
    expect(test.pValue).toBeLessThan(0.01);
    expect(test.method).toBe('chi-square');
  });

  it('finds none between a model and itself', () => {
    const { bootstrap, mcNemar: test } = compareClassifiers(truth, worse, worse, { metric: 'accuracy', seed: 1 });
    expect([bootstrap.difference, bootstrap.low, bootstrap.high, bootstrap.pValue]).toEqual([0, 0, 0, 1]);
    expect([test.firstOnly, test.secondOnly, test.pValue]).toEqual([0, 0, 1]);
  });

  it('of counts agrees with the one that draws every example', () => {
    const metric = (labels: Int32Array) => (at: Int32Array) => accuracy(take(truth, at), take(labels, at)).value;
    const drawn = pairedBootstrap(600, metric(predictions), metric(worse), { seed: 2 });
    const { bootstrap } = compareClassifiers(truth, predictions, worse, { metric: 'accuracy', seed: 1 });
    expect(bootstrap.difference).toBeCloseTo(drawn.difference, 12);
    // Half of the interval is about 0.04, and its ends vary by about a twentieth of that from seed to seed.
    expect(Math.abs(bootstrap.low - drawn.low)).toBeLessThan(0.01);
    expect(Math.abs(bootstrap.high - drawn.high)).toBeLessThan(0.01);
  });

  it('changes sign with the order', () => {
    const metric = (labels: Int32Array) => (at: Int32Array) => accuracy(take(truth, at), take(labels, at)).value;
    const one = pairedBootstrap(600, metric(predictions), metric(worse), { seed: 9 });
    const other = pairedBootstrap(600, metric(worse), metric(predictions), { seed: 9 });
    expect(other.difference).toBe(-one.difference);
    expect(other.low).toBeCloseTo(-one.high, 12);
    expect(other.pValue).toBe(one.pValue);
  });

  it('McNemar counts who is right alone', () => {
    const test = mcNemar([0, 0, 1, 1, 2], [0, 1, 1, 0, 2], [1, 1, 0, 1, 2]);
    expect(test).toMatchObject({ firstOnly: 2, secondOnly: 1, statistic: 1, pValue: 1, method: 'exact' });
  });
});
