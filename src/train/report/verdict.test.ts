import { describe, expect, it } from 'vitest';
import { type ClassifierComparison, classificationReport, mcNemar, regressionReport } from '../../metrics/index.ts';
import { type Baseline, headlineOf, type RunReportData, verdict } from './index.ts';

const truth = Int32Array.from({ length: 40 }, (_, index) => index % 2);
const predictions = truth.map((label, index) => (index < 4 ? 1 - label : label));
const report = classificationReport(truth, predictions, ['ham', 'spam'], { positive: 'spam', resamples: 200 });

function comparison(difference: number, low: number, high: number): ClassifierComparison {
  const bootstrap = {
    difference,
    low,
    high,
    pValue: low > 0 || high < 0 ? 0.004 : 0.4,
    signature: '',
    undefinedResamples: 0,
  };
  return { metric: 'f1', first: 0.9, second: 0.9 - difference, bootstrap, mcNemar: mcNemar(truth, predictions, truth) };
}

function run(baseline?: Partial<Baseline>): RunReportData {
  return {
    title: 'run',
    task: 'text-classification',
    model: 'bert-mini',
    finishedAt: '2026-01-01T00:00:00Z',
    evaluation: { split: 'test', noun: 'mails', report },
    size: { parameters: 1e7, bytes: 40e6 },
    speed: { predictionsPerSecond: 500 },
    ...(baseline === undefined ? {} : { baseline: { name: 'linear', report, ...baseline } }),
  };
}

const small = { size: { parameters: 1e5, bytes: 1e6 }, examplesPerSecond: 6000 };

describe('verdict', () => {
  it.each<[string, RunReportData, string, string]>([
    [
      'no difference',
      run({ ...small, comparison: comparison(0.004, -0.012, 0.019) }),
      'same',
      'The linear baseline is as good: prefer it, it is 40× smaller and 12× faster',
    ],
    [
      'no difference, costs unknown',
      run({ comparison: comparison(0.004, -0.012, 0.019) }),
      'same',
      'The linear baseline is as good',
    ],
    [
      'no difference, but larger',
      run({ size: { parameters: 1, bytes: 80e6 }, comparison: comparison(0, -0.01, 0.01) }),
      'same',
      'The linear baseline is as good',
    ],
    [
      'better',
      run({ ...small, comparison: comparison(0.021, 0.004, 0.038) }),
      'better',
      'Better than the linear baseline by 0.021',
    ],
    [
      'worse',
      run({ ...small, comparison: comparison(-0.03, -0.05, -0.01) }),
      'worse',
      'The linear baseline is better by 0.030: use it',
    ],
    [
      'touching zero is no difference',
      run({ comparison: comparison(0.02, 0, 0.04) }),
      'same',
      'The linear baseline is as good',
    ],
    ['untested', run({}), 'untested', 'F1 of spam 0.900, linear baseline 0.900'],
    ['no baseline', run(), 'alone', 'F1 of spam 0.900'],
  ])('%s', (_, data, outcome, headline) => {
    expect(verdict(data)).toMatchObject({ outcome, headline });
  });

  it('gives the score with its interval, the test in words, and what the split cannot show', () => {
    const { sentences } = verdict(run({ ...small, comparison: comparison(0.004, -0.012, 0.019) }));
    const words = sentences.join(' ').replaceAll('\u00a0', ' ');
    expect(words).toMatch(
      /^F1 of spam is 0\.900 \(95 % interval 0\.\d+ to (0|1)\.\d+\) on 40 mails of the test split\./,
    );
    expect(words).toContain('The linear baseline has 0.900 on the same mails.');
    expect(words).toContain('Difference +0.004, 95 % interval −0.012 to +0.019 (paired bootstrap, p = 0.40).');
    expect(words).toContain(
      'Of the 4 mails where only one of the two is right, the model has 0 and the baseline 4 (McNemar, p = 0.13)',
    );
    expect(words).toContain('a difference below about 0.015 would not show');
  });

  it('says what the baseline costs where the model wins, and where it is larger', () => {
    expect(verdict(run({ ...small, comparison: comparison(0.02, 0.01, 0.03) })).sentences.at(-1)).toBe(
      'The baseline is 40× smaller and 12× faster.',
    );
    const larger = { size: { parameters: 1, bytes: 80e6 }, examplesPerSecond: 500 };
    expect(verdict(run({ ...larger, comparison: comparison(0, -0.01, 0.01) })).sentences.at(-1)).toBe(
      'The baseline is 2.0× larger.',
    );
  });
});

describe('verdict on a regression', () => {
  it('needs the paired bootstrap alone', () => {
    const { mcNemar: _, ...rest } = comparison(0.2, 0.1, 0.3);
    const values = [1, 2, 3, 4];
    const { headline, sentences } = verdict({
      ...run({ report: regressionReport(values, [1, 2, 3, 5]), comparison: rest }),
      evaluation: { split: 'test', report: regressionReport(values, values) },
    });
    expect(headline).toBe('Better than the linear baseline by 0.200');
    expect(sentences.join(' ')).not.toContain('McNemar');
  });
});

describe('headline', () => {
  it('is F1 of the positive class, macro F1, R², or RMSE where R² is not defined', () => {
    expect(headlineOf(report)).toMatchObject({ metric: 'f1', name: 'F1 of spam', value: report.metrics.f1 });
    expect(headlineOf(classificationReport(truth, predictions, ['ham', 'spam'])).name).toBe('Macro F1');
    expect(headlineOf(regressionReport([1, 2], [1, 2.5])).name).toBe('R²');
    expect(headlineOf(regressionReport([1], [2])).name).toBe('RMSE');
  });
});
