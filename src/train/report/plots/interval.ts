import { html } from '../../../base/index.ts';
import { linearScale, niceTicks, tickLabels } from './scale.ts';
import { CHART_WIDTH, fitText, number, type Plot, type Tone, textWidth } from './svg.ts';

export interface IntervalRow {
  readonly name: string;
  readonly tone: Tone;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** Values with their intervals on one scale, a row each: whether they overlap is seen at once. */
export function intervalPlot(title: string, rows: readonly IntervalRow[], digits = 3): Plot {
  const lowest = Math.min(...rows.map((row) => row.low ?? row.value));
  const highest = Math.max(...rows.map((row) => row.high ?? row.value));
  const room = Math.max((highest - lowest) * 0.15, Math.abs(highest) * 0.005, 1e-6);
  const domain: [number, number] = [
    lowest - room,
    lowest <= 1 && highest <= 1 ? Math.min(1, highest + room) : highest + room,
  ];
  const labelWidth = Math.min(150, Math.max(...rows.map((row) => textWidth(row.name) * 1.08)));
  const left = labelWidth + 14;
  const right = CHART_WIDTH - 14;
  const x = linearScale(domain, [left, right]);
  const ticks = niceTicks(domain, 4);
  const texts = tickLabels(ticks);
  const ROW = 34;
  const bottom = 8 + rows.length * ROW;
  return {
    title,
    description: rows
      .map(
        (row) =>
          `${row.name} ${row.value.toFixed(digits)}${row.low === undefined ? '' : `, interval ${row.low.toFixed(digits)} to ${row.high?.toFixed(digits)}`}`,
      )
      .join('; '),
    width: CHART_WIDTH,
    height: bottom + 26,
    marks: html`${ticks.map(
      (tick, index) =>
        html`<line class="grid" x1="${number(x(tick))}" x2="${number(x(tick))}" y1="4" y2="${bottom}"/><text x="${number(x(tick))}" y="${bottom + 18}" text-anchor="middle">${texts[index]}</text>`,
    )}${rows.map((row, index) => {
      const y = 8 + index * ROW + ROW / 2;
      return html`<text class="label fill-${row.tone}" x="${0}" y="${y + 4}">${fitText(row.name, labelWidth)}</text>${
        row.low !== undefined &&
        row.high !== undefined &&
        html`<path class="line stroke-${row.tone}" d="M${number(x(row.low))} ${y}H${number(x(row.high))}M${number(x(row.low))} ${y - 5}v10M${number(x(row.high))} ${y - 5}v10"/>`
      }<circle class="fill-${row.tone}" cx="${number(x(row.value))}" cy="${y}" r="5"/><text class="strong halo" x="${number(x(row.value))}" y="${y - 9}" text-anchor="middle">${row.value.toFixed(digits)}</text>`;
    })}`,
  };
}
