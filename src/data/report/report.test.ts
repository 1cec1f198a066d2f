import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { growing } from '../growing.ts';
import { inspectData, type PrepareOptions } from '../prepare.ts';
import type { Value } from '../row.ts';
import { profileColumn } from './column-profile.ts';
import { type DataReport, findingsOf, percent } from './data-report.ts';
import { distributionOf } from './distribution.ts';
import { renderDataReport } from './render.ts';

const directory = mkdtempSync(join(tmpdir(), 'lathe-report-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const inspect = (rows: readonly object[], options: Partial<PrepareOptions> = {}): Promise<DataReport> => {
  writeFileSync(join(directory, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  return inspectData({ source: { kind: 'jsonl', path: 'rows.jsonl' }, directory, ...options });
};
const codes = (report: DataReport): string[] => report.findings.map(({ level, code }) => `${level} ${code}`);
const rowsOf = (count: number): { text: string; label: string }[] =>
  Array.from({ length: count }, (_, index) => ({
    text: `word${index} `.repeat(index + 1),
    label: index % 2 ? 'a' : 'b',
  }));

describe('distributionOf', () => {
  it('gives exact quantiles and bins that hold every value once', () => {
    const values = growing(Uint32Array);
    for (let value = 1; value <= 1000; value++) values.push(value);
    values.push(1_000_000);
    const { min, median, mean, p95, max, bins, binWidth } = distributionOf(values);
    expect([min, median, p95, max]).toEqual([1, 501, 951, 1_000_000]);
    expect(mean).toBeCloseTo((500_500 + 1_000_000) / 1001, 9);
    expect(bins.reduce((sum, count) => sum + count, 0)).toBe(1001);
    expect(bins[0]).toBe(binWidth - 1);
    // Bins end behind the 98th percentile, and the last holds all that lies beyond.
    expect([bins.length, binWidth, bins.at(-1)]).toEqual([24, 50, 1]);
  });

  it('holds for no values, for one, and for zeros', () => {
    expect(distributionOf(growing(Uint32Array)).bins).toEqual([]);
    const zero = growing(Uint32Array);
    zero.push(0);
    expect(distributionOf(zero)).toMatchObject({ min: 0, max: 0, bins: [1], binWidth: 1 });
  });
});

describe('profileColumn', () => {
  const profile = (values: readonly Value[], labels: readonly number[] = values.map((_, index) => index % 2)) => {
    const profiler = profileColumn('c');
    for (const [index, value] of values.entries()) profiler.add(value, labels[index]!);
    return profiler.finish();
  };
  const repeat = <T>(values: readonly T[], times: number): T[] => Array.from({ length: times }, () => values).flat();

  it('knows constants, identifiers and columns that tell the label', () => {
    expect(profile(repeat(['x'], 40)).findings).toEqual(['constant']);
    expect(profile(Array.from({ length: 40 }, (_, index) => index)).findings).toEqual(['unique']);
    expect(profile(repeat(['yes', 'no'], 20)).findings).toEqual(['predicts-label']);
    expect(profile(repeat(['yes', 'no', 'yes'], 20)).findings).toEqual([]);
    expect(profile(repeat(['x'], 10)).findings).toEqual([]);
    const rare = Array.from({ length: 40 }, (_, index) => `v${index >> 2}`);
    expect(
      profile(
        rare,
        rare.map((_, index) => (index >> 2) % 2),
      ).findings,
    ).toEqual([]);
  });

  it('counts what is missing and what differs', () => {
    const { missing, distinct, type, example } = profile([null, '', 'a', 'a', 5, [1], 'b']);
    expect({ missing, distinct, type, example }).toEqual({ missing: 2, distinct: 4, type: 'text', example: 'a' });
    expect(profile([null, null]).type).toBe('empty');
  });
});

describe('the report', () => {
  it('says that good data is good', async () => {
    const report = await inspect(rowsOf(200));
    expect(report.verdict).toBe('ready');
    expect(report.splits.train + report.splits.validation + report.splits.test).toBe(200);
    expect(report.labels.map(({ label, total }) => [label, total])).toEqual([
      ['a', 100],
      ['b', 100],
    ]);
    expect(report.lengths!.words).toMatchObject({ min: 1, max: 200 });
    // 1.3 tokens a word and two to frame the text: 97 words are 129 tokens.
    expect(report.lengths!.truncated.find(({ maxLength }) => maxLength === 128)!.share).toBe((200 - 96) / 200);
  });

  it('counts real tokens when it can', async () => {
    const { lengths } = await inspect(rowsOf(100), { countTokens: (text) => (text.startsWith('word1') ? 200 : 1) });
    expect(lengths!.tokensAreCounted).toBe(true);
    expect(lengths!.truncated.map(({ share }) => share)).toEqual([0.11, 0.11, 0, 0]);
  });

  it('warns of imbalance, rare labels, labels that are tested only, and columns that tell the label', async () => {
    const rows = rowsOf(300).map((row, index) => ({
      ...row,
      label: index < 280 ? 'common' : index < 290 ? 'rare' : 'new',
      split: index < 290 ? (index < 250 || index >= 280 ? 'train' : 'validation') : 'test',
      source: index < 280 ? 'web' : index < 290 ? 'mail' : 'form',
      version: 1,
      id: `id${index}`,
    }));
    const report = await inspect(rows);
    expect(codes(report)).toEqual([
      'warning unseen-labels',
      'warning imbalance',
      'warning predicting-columns',
      'note long-texts',
      'note id-columns',
      'note constant-columns',
    ]);
    expect(report.labelsOnlyTested).toEqual(['new']);
    expect(report.verdict).toBe('warnings');
  });

  it('puts leaks first', async () => {
    const rows = rowsOf(60).map((row, index) => ({ ...row, split: index < 40 ? 'train' : 'test' }));
    const report = await inspect([...rows, { ...rows[0]!, split: 'test' }]);
    expect(report.verdict).toBe('leak');
    expect(codes(report)[0]).toBe('leak exact-leak');
    expect(report.leaks.examples[0]).toMatchObject({ at: 'rows.jsonl:61', split: 'test', other: 'rows.jsonl:1' });
  });

  it('finds nothing to say about a report without oddities', async () => {
    const report = await inspect(rowsOf(200).map((row) => ({ ...row, text: row.text.slice(0, 40) })));
    expect(findingsOf(report)).toEqual([]);
  });
});

describe('the page', () => {
  const hostile = `"><img src=x onerror=alert(1)><script>alert('x')</script>`;

  it('shows hostile data as text, wherever it stands', async () => {
    const rows = rowsOf(40).map((row, index) => ({
      ...row,
      text: `${row.text} ${hostile}`,
      label: index % 2 ? hostile : 'b',
      [hostile]: hostile,
    }));
    const report = await inspect([...rows, rows[0]!, { text: null, label: hostile }]);
    const page = renderDataReport(report, hostile);
    expect(page).not.toMatch(/<script|<img|onerror=alert\(1\)>/);
    expect(page).toContain('&#60;script&#62;');
  });

  it('fetches nothing and runs nothing', async () => {
    const page = renderDataReport(await inspect(rowsOf(100)), 'rows');
    expect(page).not.toMatch(/https?:|url\(|<script|<link|@import/);
    expect(page).toContain(`default-src 'none'`);
    expect(page.match(/<svg class="histogram"/g)).toHaveLength(2);
  });
});

describe('percent', () => {
  it('keeps small shares apart from none', () => {
    expect([0, 0.0004, 0.004, 0.0996, 0.5, 1].map(percent)).toEqual([
      '0 %',
      '< 0.1 %',
      '0.4 %',
      '10.0 %',
      '50 %',
      '100 %',
    ]);
  });
});
