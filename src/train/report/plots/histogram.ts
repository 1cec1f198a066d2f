import { html } from '../../../base/index.ts';
import { axes } from './axes.ts';
import { extent, niceDomain } from './scale.ts';
import { CHART_WIDTH, number, type Plot, type Tone, textWidth } from './svg.ts';

export interface HistogramOptions {
  readonly title: string;
  readonly description: string;
  readonly xLabel: string;
  /** What one value is, in the plural: "mails". */
  readonly yLabel: string;
  readonly groups: readonly { readonly name: string; readonly tone: Tone; readonly values: ArrayLike<number> }[];
  readonly xDomain?: readonly [number, number];
  readonly bins?: number;
  /** A dashed vertical line: the threshold. */
  readonly guide?: { readonly x: number; readonly label: string };
}

const HEIGHT = 270;

/** Groups as outlined areas over common bins, so that where they overlap stays visible. Values outside count in the end bins. */
export function histogram(options: HistogramOptions): Plot {
  const bins = options.bins ?? 20;
  const domain = options.xDomain ?? domainOf(options.groups.flatMap((group) => extent(Array.from(group.values))));
  const counts = options.groups.map((group) => binCounts(group.values, domain, bins));
  const highest = Math.max(1, ...counts.flatMap((group) => Array.from(group)));
  const plane = axes({
    width: CHART_WIDTH,
    height: HEIGHT,
    xDomain: domain,
    yDomain: niceDomain([0, highest], 5),
    xLabel: options.xLabel,
    yLabel: options.yLabel,
  });
  const { x, y, frame } = plane;
  const edge = (bin: number): string => number(x(domain[0] + ((domain[1] - domain[0]) * bin) / bins));
  const outline = (group: Float64Array): string => {
    let path = `M${edge(0)} ${number(frame.bottom)}`;
    group.forEach((count, bin) => {
      path += `V${number(y(count))}H${edge(bin + 1)}`;
    });
    return `${path}V${number(frame.bottom)}`;
  };
  const legend = options.groups.map((group) => group.name);
  let cursor = frame.right;
  const positions = legend
    .toReversed()
    .map((name) => {
      cursor -= textWidth(name) * 1.08;
      const at = cursor;
      cursor -= 26;
      return at;
    })
    .reverse();
  const { guide } = options;
  return {
    title: options.title,
    description: options.description,
    width: CHART_WIDTH,
    height: HEIGHT,
    marks: html`${plane.marks}${options.groups.map(
      (group, index) =>
        html`<path class="area fill-${group.tone}" d="${outline(counts[index]!)}"/><path class="line thin stroke-${group.tone}" d="${outline(counts[index]!)}"/>`,
    )}${
      options.groups.length > 1 &&
      options.groups.map(
        (group, index) =>
          html`<rect class="fill-${group.tone}" x="${number(positions[index]! - 14)}" y="5" width="9" height="9" rx="2"/><text class="label fill-${group.tone}" x="${number(positions[index]!)}" y="14">${group.name}</text>`,
      )
    }${
      guide !== undefined &&
      html`<path class="guide" d="M${number(x(guide.x))} ${number(frame.top)}V${number(frame.bottom)}"/><text class="halo" x="${number(x(guide.x) + (guide.x > (domain[0] + domain[1]) / 2 ? -6 : 6))}" y="${number(frame.top + 12)}" text-anchor="${guide.x > (domain[0] + domain[1]) / 2 ? 'end' : 'start'}">${guide.label}</text>`
    }`,
    table: {
      columns: ['From', 'To', ...legend],
      rows: Array.from({ length: bins }, (_, bin) => [
        round(domain[0] + ((domain[1] - domain[0]) * bin) / bins),
        round(domain[0] + ((domain[1] - domain[0]) * (bin + 1)) / bins),
        ...counts.map((group) => group[bin]!),
      ]),
    },
  };
}

function domainOf(ends: readonly number[]): [number, number] {
  const [low, high] = extent(ends);
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
}

function binCounts(values: ArrayLike<number>, [low, high]: readonly [number, number], bins: number): Float64Array {
  const counts = new Float64Array(bins);
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (!Number.isFinite(value)) continue;
    counts[Math.min(bins - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * bins)))]!++;
  }
  return counts;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
