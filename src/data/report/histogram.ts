import { type Html, html } from '../../base/index.ts';
import type { Distribution } from './distribution.ts';

const WIDTH = 560;
const HEIGHT = 170;
const FOOT = 24;
const TOP = 18;

/** A histogram as SVG that takes its colours from the page (`--bar`, `--faint`, `--text`) and its width from its place. */
export function histogram(distribution: Distribution, unit: string): Html {
  const { bins, binWidth, max } = distribution;
  const most = Math.max(1, ...bins);
  const step = WIDTH / Math.max(1, bins.length);
  const base = HEIGHT - FOOT;
  const beyond = max >= binWidth * bins.length;
  const rangeOf = (index: number): string => {
    const from = index * binWidth;
    return beyond && index === bins.length - 1
      ? `${format(from)} and more`
      : `${format(from)} to ${format(from + binWidth - 1)}`;
  };
  const bars = bins.map((count, index) => {
    const height = count === 0 ? 0 : Math.max(1.5, (count / most) * (base - TOP));
    return html`<rect x="${round(index * step + 1)}" y="${round(base - height)}" width="${round(step - 2)}" height="${round(height)}" rx="1.5"><title>${rangeOf(index)} ${unit}: ${format(count)} rows</title></rect>`;
  });
  const every = Math.max(1, Math.ceil(bins.length / 6));
  const ticks = bins.flatMap((_, index) =>
    index % every === 0
      ? [html`<text x="${round(index * step)}" y="${HEIGHT - 6}">${format(index * binWidth)}</text>`]
      : [],
  );
  return html`<svg class="histogram" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Histogram of ${unit} a row: median ${format(distribution.median)}, longest ${format(max)}">
<line x1="0" y1="${TOP}" x2="${WIDTH}" y2="${TOP}"/><text x="0" y="${TOP - 3}">${format(most)} rows</text>
<g class="bars">${bars}</g><line x1="0" y1="${base}" x2="${WIDTH}" y2="${base}"/>${ticks}</svg>`;
}

export function format(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
