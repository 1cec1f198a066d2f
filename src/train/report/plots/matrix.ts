import { html } from '../../../base/index.ts';
import { CHART_WIDTH, fitText, number, type Plot, textWidth } from './svg.ts';

export interface MatrixPlotOptions {
  readonly title: string;
  readonly labels: readonly string[];
  /** Rows = truth, columns = prediction. */
  readonly counts: readonly (readonly number[])[];
  /** Each row as shares of its sum: what became of the examples of a class. */
  readonly normalized?: boolean;
}

/** Up to this many classes the cells hold numbers; above, colour alone, and the table has the numbers. */
const MOST_NUMBERED = 24;

/**
 * A confusion matrix. What is right is on the diagonal in one colour, what is wrong in another; the depth of the colour
 * is the share of the row (normalized), or of the largest count.
 */
export function matrixPlot(options: MatrixPlotOptions): Plot {
  const { labels, counts } = options;
  const normalized = options.normalized ?? false;
  const size = labels.length;
  const numbered = size <= MOST_NUMBERED;
  const width = size <= 8 ? CHART_WIDTH : 2 * CHART_WIDTH;
  const labelWidth = Math.min(CHART_WIDTH * 0.34, Math.max(40, ...labels.map((label) => textWidth(label))));
  const left = labelWidth + 22;
  const top = 44;
  const cellWidth = (width - left - 8) / size;
  const cellHeight = Math.min(cellWidth, size <= 2 ? 84 : size <= 4 ? 62 : size <= 8 ? 44 : 32);
  const upright = labels.every((label) => textWidth(label) <= cellWidth - 4);
  const bottom = upright ? 0 : Math.min(110, Math.max(...labels.map((label) => textWidth(label)))) + 8;
  const height = top + cellHeight * size + bottom + 8;
  const sums = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const share = (row: number, column: number): number => (sums[row] === 0 ? 0 : counts[row]![column]! / sums[row]!);
  const text = (row: number, column: number): string =>
    normalized ? percent(share(row, column)) : counts[row]![column]!.toLocaleString('en-US');
  const highest = Math.max(1, ...counts.flat());
  const right = counts.reduce((sum, row, index) => sum + row[index]!, 0);
  const total = sums.reduce((sum, count) => sum + count, 0);
  return {
    title: options.title,
    description: `${size} classes, rows are the truth, columns the prediction; ${right} of ${total} examples are on the diagonal (right).`,
    width,
    height,
    marks: html`<text x="8" y="14">Truth ↓</text><text x="${number(left)}" y="14">Prediction →</text>${labels.map(
      (label, index) => {
        const middle = left + cellWidth * (index + 0.5);
        const row = top + cellHeight * (index + 0.5) + 4;
        return html`<text class="strong" x="${number(left - 10)}" y="${number(row)}" text-anchor="end">${fitText(label, labelWidth)}</text>${
          upright
            ? html`<text class="strong" x="${number(middle)}" y="${top - 10}" text-anchor="middle">${label}</text>`
            : html`<text class="strong" transform="translate(${number(middle + 4)} ${number(top + cellHeight * size + 8)}) rotate(-90)" text-anchor="end">${fitText(label, 110)}</text>`
        }`;
      },
    )}${counts.map((row, rowIndex) =>
      row.map((count, column) => {
        const x = left + cellWidth * column;
        const y = top + cellHeight * rowIndex;
        const depth = Math.sqrt(normalized ? share(rowIndex, column) : count / highest);
        return html`<g><title>${`${labels[rowIndex]} predicted as ${labels[column]}: ${count} (${percent(share(rowIndex, column))} of ${labels[rowIndex]})`}</title><rect class="${rowIndex === column ? 'heat' : 'heat-bad'}" fill-opacity="${number(depth)}" x="${number(x)}" y="${number(y)}" width="${number(cellWidth)}" height="${number(cellHeight)}"/><rect class="cell" x="${number(x)}" y="${number(y)}" width="${number(cellWidth)}" height="${number(cellHeight)}"/>${
          numbered &&
          (count > 0 || size <= 6) &&
          html`<text class="strong" x="${number(x + cellWidth / 2)}" y="${number(y + cellHeight / 2 + 5)}" text-anchor="middle" font-size="${size <= 4 ? 16 : size <= 8 ? 13 : size <= 16 ? 12 : 10}">${text(rowIndex, column)}</text>`
        }</g>`;
      }),
    )}`,
    table: {
      columns: ['Truth', ...labels],
      rows: labels.map((label, row) => [label, ...counts[row]!.map((_, column) => text(row, column))]),
    },
  };
}

function percent(share: number): string {
  const value = 100 * share;
  return `${value > 0 && value < 10 ? value.toFixed(1) : value > 99 && value < 100 ? value.toFixed(1) : value.toFixed(0)}%`;
}
