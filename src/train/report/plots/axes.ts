import { type Html, html } from '../../../base/index.ts';
import { linearScale, niceTicks, type Scale, tickLabels } from './scale.ts';
import { number, textWidth } from './svg.ts';

export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface Axes {
  readonly x: Scale;
  readonly y: Scale;
  readonly frame: Frame;
  readonly marks: Html;
}

export interface AxesOptions {
  readonly width: number;
  readonly height: number;
  readonly xDomain: readonly [number, number];
  readonly yDomain: readonly [number, number];
  readonly xLabel: string;
  readonly yLabel: string;
  /** Room for direct labels, right of the frame. */
  readonly rightMargin?: number;
  readonly xTicks?: readonly number[];
  readonly yTicks?: readonly number[];
  readonly xGrid?: boolean;
}

/** Thin horizontal grid lines, tick labels, and the names of both axes: that of y lies above it, where it reads level. */
export function axes(options: AxesOptions): Axes {
  const { width, height, xDomain, yDomain } = options;
  const yTicks = options.yTicks ?? niceTicks(yDomain, 5);
  const yTexts = tickLabels(yTicks);
  const xTicks = options.xTicks ?? niceTicks(xDomain, 5);
  const xTexts = tickLabels(xTicks);
  const frame: Frame = {
    left: 18 + Math.max(...yTexts.map((text) => textWidth(text))),
    right: width - (options.rightMargin ?? 16),
    top: 28,
    bottom: height - 40,
  };
  const x = linearScale(xDomain, [frame.left, frame.right]);
  const y = linearScale(yDomain, [frame.bottom, frame.top]);
  const marks = html`${yTicks.map(
    (tick, index) =>
      html`<line class="grid" x1="${number(frame.left)}" x2="${number(frame.right)}" y1="${number(y(tick))}" y2="${number(y(tick))}"/><text x="${number(frame.left - 8)}" y="${number(y(tick) + 4)}" text-anchor="end">${yTexts[index]}</text>`,
  )}${xTicks.map(
    (tick, index) =>
      html`${options.xGrid === true && html`<line class="grid" x1="${number(x(tick))}" x2="${number(x(tick))}" y1="${number(frame.top)}" y2="${number(frame.bottom)}"/>`}<line class="axis" x1="${number(x(tick))}" x2="${number(x(tick))}" y1="${number(frame.bottom)}" y2="${number(frame.bottom + 4)}"/><text x="${number(x(tick))}" y="${number(frame.bottom + 18)}" text-anchor="middle">${xTexts[index]}</text>`,
  )}<line class="axis" x1="${number(frame.left)}" x2="${number(frame.right)}" y1="${number(frame.bottom)}" y2="${number(frame.bottom)}"/><text x="${8}" y="14">${options.yLabel}</text><text x="${number(frame.right)}" y="${number(frame.bottom + 35)}" text-anchor="end">${options.xLabel}</text>`;
  return { x, y, frame, marks };
}

/** Places labels one below the other, at least `gap` apart and inside the frame, near where they want to be. */
export function spread(wanted: readonly number[], gap: number, low: number, high: number): number[] {
  const order = wanted.map((_, index) => index).sort((a, b) => wanted[a]! - wanted[b]!);
  const placed = new Array<number>(wanted.length);
  let previous = low - gap;
  for (const index of order) {
    previous = Math.max(wanted[index]!, previous + gap);
    placed[index] = previous;
  }
  let next = high + gap;
  for (const index of order.toReversed()) {
    next = Math.min(placed[index]!, next - gap);
    placed[index] = next;
  }
  return placed;
}
