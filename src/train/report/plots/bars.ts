import { html } from '../../../base/index.ts';
import { CHART_WIDTH, fitText, number, type Plot, type Tone, textWidth } from './svg.ts';

export interface BarsOptions {
  readonly title: string;
  readonly description: string;
  readonly series: readonly { readonly name: string; readonly tone: Tone }[];
  /** One row a bar; a value a series, stacked from the left. */
  readonly rows: readonly { readonly label: string; readonly values: readonly number[] }[];
}

const ROW = 26;

/** Horizontal stacked bars, the sum written behind each. */
export function bars(options: BarsOptions): Plot {
  const { rows, series } = options;
  const sums = rows.map((row) => row.values.reduce((sum, value) => sum + value, 0));
  const total = sums.reduce((sum, value) => sum + value, 0);
  const longest = Math.max(1, ...sums);
  const text = (sum: number): string =>
    `${sum.toLocaleString('en-US')} (${total === 0 ? 0 : Math.round((100 * sum) / total)}%)`;
  const labelWidth = Math.min(140, Math.max(30, ...rows.map((row) => textWidth(row.label))));
  const valueWidth = Math.max(30, ...sums.map((sum) => textWidth(text(sum))));
  const left = labelWidth + 18;
  const room = CHART_WIDTH - left - valueWidth - 20;
  const top = series.length > 1 ? 26 : 6;
  let cursor = left;
  return {
    title: options.title,
    description: options.description,
    width: CHART_WIDTH,
    height: top + rows.length * ROW + 6,
    marks: html`${
      series.length > 1 &&
      series.map((one) => {
        const at = cursor;
        cursor += textWidth(one.name) * 1.08 + 32;
        return html`<rect class="fill-${one.tone}" x="${number(at)}" y="4" width="9" height="9" rx="2"/><text class="label fill-${one.tone}" x="${number(at + 14)}" y="13">${one.name}</text>`;
      })
    }${rows.map((row, index) => {
      const y = top + index * ROW;
      let x = left;
      return html`<text class="strong" x="${number(left - 10)}" y="${y + 17}" text-anchor="end">${fitText(row.label, labelWidth)}</text>${row.values.map(
        (value, position) => {
          const width = (room * value) / longest;
          const bar = html`<rect class="fill-${series[position]?.tone ?? 'muted'}" x="${number(x)}" y="${y + 5}" width="${number(Math.max(0, width - (position < row.values.length - 1 ? 1 : 0)))}" height="16"><title>${`${row.label}, ${series[position]?.name ?? ''}: ${value.toLocaleString('en-US')}`}</title></rect>`;
          x += width;
          return bar;
        },
      )}<text x="${number(x + 8)}" y="${y + 17}">${text(sums[index]!)}</text>`;
    })}`,
    table: {
      columns: ['Label', ...series.map((one) => one.name)],
      rows: rows.map((row) => [row.label, ...row.values]),
    },
  };
}
