import { describe, expect, it } from 'vitest';
import { random } from '../../base/index.ts';
import {
  classificationCurves,
  classificationReport,
  compareClassifiers,
  predictedLabels,
  regressionReport,
} from '../../metrics/index.ts';
import { plotsOfRun, type RunReportData, renderRunReport, standaloneSvg, worstMistakes } from './index.ts';

/** Truth, and probabilities that favour it; the larger `skill`, the more. */
function predictions(seed: number, examples: number, classes: number, skill: number) {
  const source = random(seed);
  const truth = Int32Array.from({ length: examples }, (_, row) => (row < classes ? row : source.integer(classes)));
  const scores = new Float64Array(examples * classes);
  for (let row = 0; row < examples; row++) {
    let sum = 0;
    for (let column = 0; column < classes; column++) {
      const weight = Math.exp(source.normal() + (truth[row] === column ? skill : 0));
      scores[row * classes + column] = weight;
      sum += weight;
    }
    for (let column = 0; column < classes; column++) scores[row * classes + column]! /= sum;
  }
  return { truth, scores };
}

const labels = ['ham', 'spam'];
const { truth, scores } = predictions(3, 300, 2, 3);
const report = classificationReport(truth, scores, labels, { positive: 'spam', task: 'text-classification', seed: 1 });
const smallest: RunReportData = {
  title: 'spam-filter',
  task: 'text-classification',
  model: 'bert-mini',
  finishedAt: '2026-03-04T05:06:07Z',
  evaluation: { split: 'test', report },
};

function full(hostile = ''): RunReportData {
  const other = predictions(4, 300, 2, 2.5).scores;
  const predicted = predictedLabels(truth, scores);
  const names = labels.map((label) => `${label}${hostile}`);
  const named = classificationReport(truth, scores, names, { positive: names[1]!, seed: 1 });
  return {
    ...smallest,
    title: `spam-filter${hostile}`,
    task: `text-classification${hostile}`,
    model: `bert-mini${hostile}`,
    evaluation: {
      split: `test${hostile}`,
      noun: `mails${hostile}`,
      report: named,
      curves: classificationCurves(truth, scores, names, { positive: 1 }),
      scores: names.map((label, index) => ({ label, values: scores.filter((_, at) => truth[at >> 1] === index) })),
      suggestedThreshold: { threshold: 0.4, f1: 0.9, split: `validation${hostile}` },
    },
    baseline: {
      name: `linear${hostile}`,
      report: classificationReport(truth, other, names, { positive: names[1]!, seed: 1 }),
      size: { parameters: 1000, bytes: 4000 },
      examplesPerSecond: 5000,
      comparison: compareClassifiers(truth, predicted, predictedLabels(truth, other), {
        metric: 'f1',
        average: 1,
        seed: 1,
      }),
    },
    size: { parameters: 10_000, bytes: 40_000 },
    history: {
      training: Array.from({ length: 500 }, (_, step) => ({ step, loss: 1 / (step + 1), learningRate: 1e-3 })),
      validation: [
        { step: 250, loss: 0.3, metrics: { f1: 0.8, [`accuracy${hostile}`]: 0.9 } },
        { step: 500, loss: 0.2, metrics: { f1: 0.9, [`accuracy${hostile}`]: 0.95 } },
      ],
      bestStep: 500,
    },
    mistakes: worstMistakes(truth, predicted, scores, names, (row) => `mail ${row}${hostile}`, 5),
    settings: { epochs: 3, optimizer: { [`name${hostile}`]: `adamw${hostile}` } },
    data: {
      source: `mails.csv${hostile}`,
      hash: `abc${hostile}`,
      splits: [
        { name: `train${hostile}`, examples: 900 },
        { name: 'test', examples: 300 },
      ],
      labels: names.map((label) => ({ label, counts: [450, 150] })),
      dropped: [{ reason: `duplicate${hostile}`, rows: 12 }],
      paddingShare: 0.05,
      truncatedShare: 0.2,
    },
    speed: {
      trainingSeconds: 80,
      examplesPerSecond: 100,
      tokensPerSecond: 9000,
      peakMemoryBytes: 1e9,
      predictionsPerSecond: 500,
    },
    environment: { node: `v20${hostile}` },
    command: `lathe train --out x${hostile}`,
    nextSteps: [{ text: `Predict${hostile}`, command: `lathe predict${hostile}` }],
    notes: [`Stopped early${hostile}`],
  };
}

function text(page: string): string {
  return page
    .replace(/<style>[\s\S]*?<\/style>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');
}

const sectionsOf = (page: string): string[] => [...page.matchAll(/<section id="([^"]+)"/g)].map((match) => match[1]!);
const plotsIn = (page: string): string[] => [...page.matchAll(/<figure id="plot-([^"]+)"/g)].map((match) => match[1]!);

/** Every tag closed in order, as a parser of XML would ask for; void elements of HTML aside. */
function expectBalanced(page: string): void {
  const open: string[] = [];
  for (const [, closing, name, selfClosing] of page.matchAll(/<(\/?)([a-zA-Z][a-zA-Z0-9]*)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (selfClosing === '/' || name === 'meta') continue;
    if (closing === '/') expect(open.pop()).toBe(name);
    else open.push(name!);
  }
  expect(open).toEqual([]);
}

describe('run report', () => {
  const page = renderRunReport(full());

  it('has every section and every plot of a two-class run', () => {
    expect(sectionsOf(page)).toEqual(['quality', 'mistakes', 'training', 'data', 'settings', 'reproduce', 'next']);
    expect(plotsIn(page)).toEqual([
      'confusion',
      'confusion-normalized',
      'precision-recall',
      'roc',
      'f1-threshold',
      'calibration',
      'scores',
      'loss',
      'metrics',
      'learning-rate',
      'labels',
    ]);
    expectBalanced(page);
  });

  it('says the facts', () => {
    const words = text(page);
    for (const fact of [
      'bert-mini, text classification, finished 4 March 2026, 05:06 UTC',
      'Rows dropped 12',
      '– duplicate 12',
      'Tokens that were padding 5.0%',
      'Texts cut to the maximum length 20%',
      'Training took 1 min 20 s',
      'Model file 40.0 kB',
      'optimizer.name adamw',
      'lathe train --out x',
      'Stopped early',
      'f1|average:binary|positive:1|zero_division:0',
    ]) {
      expect(words).toContain(fact);
    }
  });

  it('has for every plot a description, and a table of its numbers', () => {
    const figures = page.match(/<figure[\s\S]*?<\/figure>/g)!;
    for (const figure of figures) {
      expect(figure).toMatch(/<svg class="plot" role="img" aria-label="[^"]{15,}"/);
      expect(figure).toMatch(/<details><summary>Show as a table<\/summary>.*<th scope="col"/);
    }
  });

  it('runs no script and fetches nothing', () => {
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`);
    expect(page).not.toMatch(/<script|<link|<iframe|<object|<img|@import|url\(|\son[a-z]+=/i);
    expect(page.match(/https?:\/\/[^"\s<]*/g)).toBeNull();
  });

  it('escapes hostile text, wherever it comes from', () => {
    const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>\u0000\ud800</style></svg>`;
    const attacked = renderRunReport(full(hostile));
    expect(attacked).not.toMatch(/<script|<img|\p{Cs}|[^\P{Cc}\n]/u);
    expect(attacked.match(/<\/style>/g)).toHaveLength(1);
    expect(attacked.match(/<\/svg>/g)).toHaveLength(page.match(/<\/svg>/g)!.length);
    expect(attacked.match(/alert\(1\)/g)!.length).toBeGreaterThan(40);
    expectBalanced(attacked);
    for (const plot of Object.values(plotsOfRun(full(hostile))))
      expect(standaloneSvg(plot)).not.toMatch(/<script|<img/);
  });

  it('shows numbers that are not finite as such, without breaking a plot', () => {
    const data: RunReportData = {
      ...smallest,
      history: {
        training: [1, Number.NaN, Number.POSITIVE_INFINITY, 0.5].map((loss, step) => ({ step, loss })),
        validation: [{ step: 3, loss: Number.NaN, metrics: { f1: Number.NaN } }],
      },
    };
    const svg = renderRunReport(data).match(/<figure id="plot-loss"[\s\S]*?<\/svg>/)![0];
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(renderRunReport(data)).toContain('not finite');
  });
});

describe('with parts missing', () => {
  it('is the verdict and the quality at the least', () => {
    const page = renderRunReport(smallest);
    expect(sectionsOf(page)).toEqual(['quality']);
    expect(plotsIn(page)).toEqual(['confusion', 'confusion-normalized', 'calibration']);
    expect(text(page)).toContain('There is no baseline in this run');
    expectBalanced(page);
  });

  it('takes predictions without scores', () => {
    const page = renderRunReport({
      ...smallest,
      evaluation: { split: 'test', report: classificationReport(truth, predictedLabels(truth, scores), labels) },
    });
    expect(plotsIn(page)).toEqual(['confusion', 'confusion-normalized']);
    expect(text(page)).toContain('Macro F1');
  });

  it('takes a run of one epoch', () => {
    const page = renderRunReport({
      ...smallest,
      history: {
        training: [{ step: 1, loss: 0.7 }],
        validation: [{ step: 1, loss: 0.6, metrics: { f1: 0.5 } }],
        bestStep: 1,
      },
    });
    expect(plotsIn(page)).toEqual(['confusion', 'confusion-normalized', 'calibration', 'loss', 'metrics']);
    expect(page).not.toMatch(/NaN/);
  });

  it('takes a run without mistakes', () => {
    expect(text(renderRunReport({ ...smallest, mistakes: [] }))).toContain('No wrong predictions among the examples');
  });

  it('takes a regression', () => {
    const values = Float64Array.from({ length: 200 }, (_, index) => index / 10);
    const guesses = values.map((value, index) => value + Math.sin(index));
    const page = renderRunReport({
      ...smallest,
      task: 'tabular-regression',
      evaluation: {
        split: 'test',
        report: regressionReport(values, guesses),
        scores: [
          { label: 'price', values },
          { label: 'predicted price', values: guesses },
        ],
      },
    });
    expect(plotsIn(page)).toEqual(['scores', 'residuals']);
    expect(text(page)).toContain('R² is 0.98');
    expectBalanced(page);
  });

  it('takes twenty classes, and names the weakest in its curves', () => {
    const many = predictions(5, 800, 20, 3);
    const names = Array.from({ length: 20 }, (_, index) => `topic ${index}`);
    const twenty = classificationReport(many.truth, many.scores, names, { resamples: 50 });
    const page = renderRunReport({
      ...smallest,
      evaluation: { split: 'test', report: twenty, curves: classificationCurves(many.truth, many.scores, names) },
      data: { splits: [{ name: 'train', examples: 800 }], labels: names.map((label) => ({ label, counts: [40] })) },
    });
    expect(plotsIn(page)).toEqual([
      'confusion',
      'confusion-normalized',
      'precision-recall',
      'roc',
      'calibration',
      'labels',
    ]);
    expect(page).toContain('the three weakest classes named');
    const weakest = Object.entries(twenty.perClass).sort((a, b) => a[1].f1 - b[1].f1)[0]![0];
    expect(page.match(/<figure id="plot-roc"[\s\S]*?<\/svg>/)![0]).toContain(`>${weakest}<`);
    expectBalanced(page);
  });
});

describe('worst mistakes', () => {
  it('are the surest wrong predictions, surest first, cut between characters', () => {
    const mistakes = worstMistakes(
      [0, 1, 0, 1],
      [1, 1, 1, 0],
      Float64Array.of(0.4, 0.6, 0.1, 0.9, 0.05, 0.95, 0.6, 0.4),
      labels,
      (row) => `${'😀'.repeat(300)} ${row}\n\n x`,
      2,
    );
    expect(mistakes.map(({ example, truth, prediction, score }) => [example, truth, prediction, score])).toEqual([
      [2, 'ham', 'spam', 0.95],
      [0, 'ham', 'spam', 0.6],
    ]);
    expect(mistakes[0]!.text).toBe(`${'😀'.repeat(240)}…`);
  });

  it('refuses scores of another shape', () => {
    expect(() => worstMistakes([0], [1], Float64Array.of(1), labels, () => '')).toThrow(
      /scores \[1, 2\], got 1 and 1 numbers/,
    );
  });
});
