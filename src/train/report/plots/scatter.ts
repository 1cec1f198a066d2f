import { html } from '../../../base/index.ts';
import { axes } from './axes.ts';
import { extent, niceDomain } from './scale.ts';
import { CHART_WIDTH, number, type Plot } from './svg.ts';

export interface ScatterOptions {
  readonly title: string;
  readonly description: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

const HEIGHT = 300;
const MOST_DOTS = 1000;

/** Truth against prediction on the same scale, with the line where they are equal; at most 1,000 dots, evenly chosen. */
export function scatterPlot(options: ScatterOptions): Plot {
  const ends = extent([...extent(Array.from(options.x)), ...extent(Array.from(options.y))]);
  const domain = niceDomain(ends, 5);
  const plane = axes({
    width: CHART_WIDTH,
    height: HEIGHT,
    xDomain: domain,
    yDomain: domain,
    xLabel: options.xLabel,
    yLabel: options.yLabel,
  });
  const every = Math.max(1, Math.ceil(options.x.length / MOST_DOTS));
  const shown = Array.from({ length: Math.ceil(options.x.length / every) }, (_, index) => index * every).filter(
    (index) => Number.isFinite(options.x[index]) && Number.isFinite(options.y[index]),
  );
  return {
    title: options.title,
    description: options.description,
    width: CHART_WIDTH,
    height: HEIGHT,
    marks: html`${plane.marks}<path class="guide" d="M${number(plane.x(domain[0]))} ${number(plane.y(domain[0]))}L${number(plane.x(domain[1]))} ${number(plane.y(domain[1]))}"/>${shown.map(
      (index) =>
        html`<circle class="fill-model" fill-opacity="0.4" r="2.5" cx="${number(plane.x(options.x[index]!))}" cy="${number(plane.y(options.y[index]!))}"/>`,
    )}`,
  };
}
