import { type Html, html } from '../../../base/index.ts';
import { axes, spread } from './axes.ts';
import { extent, niceDomain, niceTicks } from './scale.ts';
import { CHART_WIDTH, fitText, number, type Plot, type PlotTable, type Tone, textWidth } from './svg.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface LineSeries {
  readonly name: string;
  readonly tone: Tone;
  readonly points: readonly Point[];
  /** For noisy series: the points are drawn faint, and their moving average strong. */
  readonly smoothed?: boolean;
  /** A dot at every point, for series of few points. */
  readonly dots?: boolean;
  /** Drawn thin and without a name, as background for the others. */
  readonly background?: boolean;
  /** Where its name stands, along the line rather than behind its end. */
  readonly nameAt?: { readonly x: number; readonly side: 'above' | 'below' };
}

export interface PlotMark extends Point {
  readonly label: string;
  readonly tone: Tone;
  /** Where the label stands: over the point, to its lower left, or at the foot of a stem down to the x axis. Default `above`. */
  readonly place?: 'above' | 'left' | 'foot';
}

export interface LinePlotOptions {
  readonly title: string;
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly LineSeries[];
  readonly xDomain?: readonly [number, number];
  readonly yDomain?: readonly [number, number];
  readonly yFromZero?: boolean;
  /** A dashed line for chance or for perfection. */
  readonly guide?: { readonly from: Point; readonly to: Point };
  /** A named point, for example the best step or the suggested threshold. */
  readonly marks?: readonly PlotMark[];
  /** Names beside the ends of the lines; false where a single line needs none. Default true. */
  readonly named?: boolean;
}

const HEIGHT = 270;
const MOST_POINTS = 300;

/** Lines over a common x, named directly at their ends. Points that are not finite are gaps. */
export function linePlot(options: LinePlotOptions): Plot {
  const named = options.named ?? true;
  const finite = options.series.flatMap((series) => series.points.filter(isFinitePoint));
  const xDomain = options.xDomain ?? paddedDomain(extent(finite.map((point) => point.x)));
  const ends = extent(finite.map((point) => point.y));
  const yDomain = options.yDomain ?? niceDomain(options.yFromZero === true ? [Math.min(0, ends[0]), ends[1]] : ends, 5);
  const labelled = named
    ? options.series.filter(
        (series) => series.background !== true && series.nameAt === undefined && lastPoint(series) !== undefined,
      )
    : [];
  const labelWidth = Math.min(110, Math.max(0, ...labelled.map((series) => textWidth(series.name, 13.2))));
  // Steps and epochs are whole numbers, and so are their ticks.
  const whole = options.xDomain === undefined && finite.every((point) => Number.isInteger(point.x));
  const plane = axes({
    width: CHART_WIDTH,
    height: HEIGHT,
    xDomain,
    yDomain,
    xLabel: options.xLabel,
    yLabel: options.yLabel,
    ...(whole ? { xTicks: niceTicks(xDomain, 5).filter(Number.isInteger) } : {}),
    rightMargin: labelled.length > 0 ? labelWidth + 22 : 16,
  });
  const { x, y, frame } = plane;
  const inside = (point: Point): Point => ({
    x: Math.min(Math.max(point.x, xDomain[0]), xDomain[1]),
    y: Math.min(Math.max(point.y, yDomain[0]), yDomain[1]),
  });
  const path = (points: readonly Point[]): string => {
    let text = '';
    let pen = false;
    for (const point of points) {
      if (!isFinitePoint(point)) {
        pen = false;
        continue;
      }
      const at = inside(point);
      text += `${pen ? 'L' : 'M'}${number(x(at.x))} ${number(y(at.y))}`;
      pen = true;
    }
    return text;
  };
  const draw = (series: LineSeries): Html => {
    if (series.background === true) {
      return html`<path class="line faint stroke-${series.tone}" d="${path(thin(series.points))}"/>`;
    }
    const strong = series.smoothed === true ? movingAverage(series.points) : series.points;
    return html`${series.smoothed === true && html`<path class="line faint stroke-${series.tone}" d="${path(thin(series.points))}"/>`}<path class="line stroke-${series.tone}" d="${path(thin(strong))}"/>${
      (series.dots === true || series.points.length === 1) &&
      series.points
        .filter(isFinitePoint)
        .map(
          (point) =>
            html`<circle class="fill-${series.tone}" r="3" cx="${number(x(inside(point).x))}" cy="${number(y(inside(point).y))}"/>`,
        )
    }`;
  };
  const drawMark = (mark: PlotMark, at: Point): Html => {
    const half = textWidth(mark.label) / 2;
    const centered = Math.min(Math.max(x(at.x), frame.left + half), frame.right - half);
    const aboveOrBelow = y(at.y) < frame.top + 30 ? y(at.y) + 21 : y(at.y) - 11;
    const right = x(at.x) + 8 + 2 * half <= frame.right;
    const place = {
      above: { x: centered, y: aboveOrBelow, anchor: 'middle' },
      left: { x: x(at.x) - 9, y: y(at.y) + 17, anchor: 'end' },
      foot: { x: x(at.x) + (right ? 8 : -8), y: frame.bottom - 9, anchor: right ? 'start' : 'end' },
    }[mark.place ?? 'above'];
    return html`${mark.place === 'foot' && html`<path class="guide" d="M${number(x(at.x))} ${number(y(at.y))}V${number(frame.bottom)}"/>`}<circle class="fill-${mark.tone}" r="4" cx="${number(x(at.x))}" cy="${number(y(at.y))}"/><text class="halo strong" x="${number(place.x)}" y="${number(place.y)}" text-anchor="${place.anchor}">${mark.label}</text>`;
  };
  const positions = spread(
    labelled.map((series) => y(inside(lastPoint(series)!).y) + 4),
    15,
    frame.top + 6,
    frame.bottom + 4,
  );
  const { guide } = options;
  return {
    title: options.title,
    description: options.description,
    width: CHART_WIDTH,
    height: HEIGHT,
    marks: html`${plane.marks}${guide !== undefined && html`<path class="guide" d="${path([guide.from, guide.to])}"/>`}${options.series
      .toSorted((a, b) => Number(b.background ?? false) - Number(a.background ?? false))
      .map(draw)}${labelled.map(
      (series, index) =>
        html`<text class="label fill-${series.tone}" x="${number(frame.right + 10)}" y="${number(positions[index]!)}">${fitText(series.name, labelWidth, 13)}</text>`,
    )}${
      named &&
      options.series.map((series) => {
        const { nameAt } = series;
        const near = nameAt === undefined ? undefined : series.points.find((point) => point.x >= nameAt.x);
        return (
          nameAt !== undefined &&
          near !== undefined &&
          html`<text class="label halo fill-${series.tone}" x="${number(x(near.x))}" y="${number(y(inside(near).y) + (nameAt.side === 'above' ? -7 : 17))}" text-anchor="middle">${series.name}</text>`
        );
      })
    }${(options.marks ?? []).map((mark) => drawMark(mark, inside(mark)))}`,
    table: tableOf(options),
  };
}

function isFinitePoint(point: Point): boolean {
  return Number.isFinite(point.x) && Number.isFinite(point.y);
}

function lastPoint(series: LineSeries): Point | undefined {
  const points = series.smoothed === true ? movingAverage(series.points) : series.points;
  return points.findLast(isFinitePoint);
}

function paddedDomain([low, high]: readonly [number, number]): [number, number] {
  return high > low ? [low, high] : [low - 1, high + 1];
}

/** The lowest and highest point of each of equal groups, so that spikes stay visible. */
function thin(points: readonly Point[]): readonly Point[] {
  if (points.length <= MOST_POINTS) return points;
  const size = Math.ceil(points.length / (MOST_POINTS / 2));
  const kept: Point[] = [points[0]!];
  for (let from = 1; from < points.length - 1; from += size) {
    const group = points.slice(from, Math.min(from + size, points.length - 1));
    let low = 0;
    let high = 0;
    for (let index = 1; index < group.length; index++) {
      // Comparisons with NaN are false, which keeps a gap only where a whole group is one.
      if (group[index]!.y < group[low]!.y) low = index;
      if (group[index]!.y > group[high]!.y) high = index;
    }
    kept.push(group[Math.min(low, high)]!);
    if (low !== high) kept.push(group[Math.max(low, high)]!);
  }
  kept.push(points.at(-1)!);
  return kept;
}

/** Over a window of about a twentieth of the series around each point, so that it does not lag behind. */
function movingAverage(points: readonly Point[]): Point[] {
  const sums = new Float64Array(points.length + 1);
  const counts = new Float64Array(points.length + 1);
  points.forEach(({ y }, index) => {
    const finite = Number.isFinite(y);
    sums[index + 1] = sums[index]! + (finite ? y : 0);
    counts[index + 1] = counts[index]! + (finite ? 1 : 0);
  });
  const reach = Math.max(1, Math.round(points.length / 40));
  return points.map(({ x, y }, index) => {
    if (!Number.isFinite(y)) return { x, y };
    const from = Math.max(0, index - reach);
    const to = Math.min(points.length, index + reach + 1);
    return { x, y: (sums[to]! - sums[from]!) / (counts[to]! - counts[from]!) };
  });
}

const MOST_ROWS = 40;

/** Every n-th x of the longest series, with the values that the others have there. */
function tableOf(options: LinePlotOptions): PlotTable {
  const shown = options.series.filter((series) => series.background !== true);
  const xs = [...new Set(shown.flatMap((series) => series.points.map((point) => point.x)))].sort((a, b) => a - b);
  const every = Math.max(1, Math.ceil(xs.length / MOST_ROWS));
  const few = new Set(
    shown
      .filter((series) => series.points.length <= MOST_ROWS)
      .flatMap((series) => series.points.map((point) => point.x)),
  );
  const kept = xs.filter(
    (value, index) => index % every === 0 || index === xs.length - 1 || (few.size <= MOST_ROWS && few.has(value)),
  );
  const values = shown.map((series) => new Map(series.points.map((point) => [point.x, point.y])));
  return {
    columns: [options.xLabel, ...shown.map((series) => series.name)],
    rows: kept.map((at) => [round(at), ...values.map((byX) => (byX.has(at) ? round(byX.get(at)!) : ''))]),
  };
}

function round(value: number): number | string {
  return Number.isFinite(value) ? Number(value.toPrecision(5)) : 'not finite';
}
