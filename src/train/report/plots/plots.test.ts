import { describe, expect, it } from 'vitest';
import { spread } from './axes.ts';
import {
  bars,
  histogram,
  intervalPlot,
  linePlot,
  matrixPlot,
  type Plot,
  reliabilityPlot,
  scatterPlot,
  standaloneSvg,
} from './index.ts';
import { extent, linearScale, niceDomain, niceTicks, tickLabels } from './scale.ts';
import { fitText, PLOT_COLORS, textWidth } from './svg.ts';

describe('ticks', () => {
  it.each<[[number, number], number, string[]]>([
    [[0, 1], 5, ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']],
    [[0.91, 0.96], 5, ['0.91', '0.92', '0.93', '0.94', '0.95', '0.96']],
    [[0, 930], 5, ['0', '200', '400', '600', '800']],
    [[-3, 3], 5, ['−3', '−2', '−1', '0', '1', '2', '3']],
    [[0, 5e-4], 5, ['0', '1e−4', '2e−4', '3e−4', '4e−4', '5e−4']],
    [[0, 30_000], 3, ['0', '10k', '20k', '30k']],
    [[0, 2.5e6], 5, ['0.0M', '0.5M', '1.0M', '1.5M', '2.0M', '2.5M']],
    [[7, 7], 5, ['7']],
  ])('of %j', (domain, count, labels) => {
    expect(tickLabels(niceTicks(domain, count))).toEqual(labels);
  });

  it('a domain grows to whole ticks, and a single value gets room', () => {
    expect(niceDomain([0.03, 0.87], 5)).toEqual([0, 1]);
    const [low, high] = niceDomain([5, 5], 5);
    expect(low).toBeLessThan(5);
    expect(high).toBeGreaterThan(5);
  });

  it('a scale is linear, and extents leave out what is not finite', () => {
    expect(linearScale([0, 10], [100, 0])(2.5)).toBe(75);
    expect(linearScale([3, 3], [0, 10])(3)).toBe(0);
    expect(extent([Number.NaN, 3, Number.POSITIVE_INFINITY, -1])).toEqual([-1, 3]);
    expect(extent([])).toEqual([0, 1]);
  });
});

describe('labels', () => {
  it('keep their distance and stay inside', () => {
    const placed = spread([100, 101, 20, 300], 15, 10, 200);
    const sorted = placed.toSorted((a, b) => a - b);
    for (let index = 1; index < sorted.length; index++)
      expect(sorted[index]! - sorted[index - 1]!).toBeGreaterThanOrEqual(15);
    expect(Math.max(...placed)).toBeLessThanOrEqual(200);
    expect(placed[0]!).toBeLessThan(placed[1]!);
  });

  it('are cut with an ellipsis where they do not fit', () => {
    expect(fitText('short', 100)).toBe('short');
    const cut = fitText('a label that is far too long', 60);
    expect(cut).toMatch(/^a label.*…$/);
    expect(textWidth(cut)).toBeLessThanOrEqual(60);
  });
});

const series = (name: string, values: number[]) => ({
  name,
  tone: 'model' as const,
  points: values.map((y, x) => ({ x, y })),
});
const line = (values: number[], more = {}) =>
  linePlot({
    title: 'Loss',
    description: 'falls',
    xLabel: 'step',
    yLabel: 'loss',
    series: [{ ...series('training', values), ...more }],
  });

describe('colours', () => {
  const channel = (value: number): number => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (hex: string): number => {
    const [red, green, blue] = [1, 3, 5].map((at) => channel(Number.parseInt(hex.slice(at, at + 2), 16) / 255));
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const contrast = (one: string, other: string): number => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light! + 0.05) / (dark! + 0.05);
  };

  it.each(['light', 'dark'])('text has a contrast of 4.5 to 1 (WCAG AA) in the %s scheme', (scheme) => {
    const half = PLOT_COLORS.split('prefers-color-scheme: dark')[scheme === 'light' ? 0 : 1]!;
    const colors = Object.fromEntries(
      [...half.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g)].map((match) => [match[1], match[2]!]),
    );
    for (const tone of ['ink', 'muted', 'model', 'train', 'baseline', 'good', 'bad', 'one', 'two', 'three', 'four']) {
      expect([tone, contrast(colors[tone]!, colors.surface!) >= 4.5]).toEqual([tone, true]);
    }
    for (const heat of ['heat', 'heat-bad'])
      expect([heat, contrast(colors.ink!, colors[heat]!) >= 4.5]).toEqual([heat, true]);
  });
});

describe('each plot stands alone as an .svg file', () => {
  const plots: [string, Plot][] = [
    ['line', line([3, 2, 1])],
    [
      'matrix',
      matrixPlot({
        title: 'Confusion',
        labels: ['a', 'b'],
        counts: [
          [3, 1],
          [0, 4],
        ],
      }),
    ],
    [
      'histogram',
      histogram({
        title: 'Scores',
        description: 'd',
        xLabel: 'x',
        yLabel: 'n',
        groups: [{ name: 'a', tone: 'one', values: [1, 2] }],
      }),
    ],
    [
      'bars',
      bars({
        title: 'Labels',
        description: 'd',
        series: [{ name: 'train', tone: 'train' }],
        rows: [{ label: 'a', values: [3] }],
      }),
    ],
    ['reliability', reliabilityPlot([{ from: 0.9, to: 1, count: 3, confidence: 0.95, accuracy: 0.9 }], 0.05)],
    ['interval', intervalPlot('F1', [{ name: 'a', tone: 'model', value: 0.9, low: 0.8, high: 0.95 }])],
    ['scatter', scatterPlot({ title: 'Fit', description: 'd', xLabel: 'x', yLabel: 'y', x: [1, 2], y: [1, 3] })],
  ];

  it.each(plots)('%s', (_, plot) => {
    const svg = standaloneSvg(plot);
    expect(svg).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg).toContain(`<title>${plot.title}</title>`);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(svg.match(/https?:\/\/[^"]*/g)).toEqual(['http://www.w3.org/2000/svg']);
  });
});

describe('line plot', () => {
  it('draws a line through its points, from left to right and with larger values higher', () => {
    const [path] = line([1, 2, 3]).marks.html.match(/<path class="line[^>]*>/)!;
    const numbers = path
      .match(/ d="([^"]+)"/)![1]!
      .match(/[\d.]+/g)!
      .map(Number);
    expect(numbers).toHaveLength(6);
    const [x0, y0, x1, y1, x2, y2] = numbers as [number, number, number, number, number, number];
    expect(x0).toBeLessThan(x1);
    expect(x1 - x0).toBeCloseTo(x2 - x1, 1);
    expect(y0).toBeGreaterThan(y1);
    expect(y0 - y1).toBeCloseTo(y1 - y2, 1);
  });

  it('leaves a gap where a value is missing', () => {
    const [path] = line([1, Number.NaN, 3, 4]).marks.html.match(/<path class="line[^>]*>/)!;
    expect(path.match(/M/g)).toHaveLength(2);
  });

  it('thins long series and keeps their spikes', () => {
    const values = Array.from({ length: 20_000 }, (_, index) => (index === 7777 ? 9 : 1));
    const plot = line(values);
    expect(plot.marks.html.length).toBeLessThan(12_000);
    const [path] = plot.marks.html.match(/<path class="line[^>]*>/)!;
    const heights = [...path.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map((match) => Number(match[1]));
    expect(Math.min(...heights)).toBeLessThan(Math.max(...heights) - 100);
    expect(plot.table!.rows.length).toBeLessThanOrEqual(45);
  });

  it('draws noisy series faint under their average', () => {
    const plot = line(
      Array.from({ length: 200 }, (_, index) => index % 2),
      { smoothed: true },
    );
    const paths = plot.marks.html.match(/<path class="line[^>]*>/g)!;
    expect(paths[0]).toContain('faint');
    expect(paths).toHaveLength(2);
  });
});

describe('matrix', () => {
  const counts = [
    [8, 2],
    [0, 0],
  ];

  it('gives counts, or shares of each row, also of an empty row', () => {
    const raw = matrixPlot({ title: 'Confusion', labels: ['a', 'b'], counts });
    expect(raw.table!.rows).toEqual([
      ['a', '8', '2'],
      ['b', '0', '0'],
    ]);
    expect(raw.marks.html).toContain('<title>a predicted as b: 2 (20% of a)</title>');
    const shares = matrixPlot({ title: 'Confusion', labels: ['a', 'b'], counts, normalized: true });
    expect(shares.table!.rows).toEqual([
      ['a', '80%', '20%'],
      ['b', '0%', '0%'],
    ]);
    expect(raw.description).toContain('8 of 10 examples are on the diagonal');
  });

  it('leaves numbers out where there are too many classes to read them', () => {
    const labels = Array.from({ length: 40 }, (_, index) => `c${index}`);
    const plot = matrixPlot({ title: 'Confusion', labels, counts: labels.map(() => labels.map(() => 77)) });
    expect(plot.marks.html).not.toContain('>77<');
    expect(plot.table!.rows[0]![1]).toBe('77');
  });
});

describe('histogram', () => {
  it('counts every finite value, those at and beyond the ends too', () => {
    const plot = histogram({
      title: 'Scores',
      description: 'd',
      xLabel: 'x',
      yLabel: 'n',
      xDomain: [0, 1],
      bins: 4,
      groups: [{ name: 'a', tone: 'one', values: Float64Array.of(0, 0.25, 0.99, 1, 1.5, -2, Number.NaN) }],
    });
    expect(plot.table!.rows.map((row) => row[2])).toEqual([2, 1, 0, 3]);
  });
});
