import { type DataReport, SPLITS } from '../data/index.ts';
import type { Terminal } from './terminal.ts';

const LABELS_SHOWN = 20;

/** Shows what data hold and what is odd about them. */
export function showDataReport(report: DataReport, terminal: Terminal): void {
  const { rows, cleaning, labels, splits, lengths, images } = report;
  const count = (value: number): string => value.toLocaleString('en');
  terminal.say(
    `\n${count(rows.read)} rows read: ${count(rows.kept)} kept, ${count(rows.dropped)} dropped by cleaning, ${count(rows.unusable)} unusable.`,
  );
  if (cleaning.length > 0) {
    terminal.say('');
    terminal.table(
      ['cleaning step', 'rows in', 'changed', 'dropped'],
      cleaning.map(({ step, rowsIn, changed, dropped }) => [step.step, rowsIn, changed, dropped]),
    );
  }
  const all = splits.train + splits.validation + splits.test;
  terminal.say('');
  terminal.table(
    ['label', ...SPLITS, 'all', 'share'],
    [
      ...labels
        .slice(0, LABELS_SHOWN)
        .map(({ label, rows: counts, total }) => [
          label,
          ...SPLITS.map((split) => counts[split]),
          total,
          `${((100 * total) / all).toFixed(1)} %`.padStart(7),
        ]),
      ['all', ...SPLITS.map((split) => splits[split]), all, ''],
    ],
  );
  if (labels.length > LABELS_SHOWN) terminal.say(`(and ${labels.length - LABELS_SHOWN} labels more)`);
  if (lengths !== undefined) {
    const { words } = lengths;
    terminal.say(
      `\nWords a text: ${count(words.median)} in the middle, 95 % have at most ${count(words.p95)}, the longest ${count(words.max)}.`,
    );
  }
  if (images !== undefined) {
    const { width, height } = images;
    terminal.say(
      `\nPixels an image: ${count(width.median)} × ${count(height.median)} in the middle, from ${count(width.min)} × ${count(height.min)} to ${count(width.max)} × ${count(height.max)}.`,
    );
  }
  for (const { level, message } of report.findings) {
    if (level === 'note') terminal.say(`note: ${message}`);
    else terminal.warn(level === 'leak' ? `leak: ${message}` : message);
  }
}
