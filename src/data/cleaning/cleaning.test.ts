import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { datasetFromFile } from '../prepare.ts';
import type { Row } from '../row.ts';
import { SPLITS } from '../split.ts';
import { isRowStep, rowStep } from './row-steps.ts';
import { type CleaningStepInput, cleaningStepSchema } from './schema.ts';

const directory = mkdtempSync(join(tmpdir(), 'lathe-cleaning-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function apply(step: CleaningStepInput, row: Row): Row | undefined {
  const parsed = cleaningStepSchema.parse(step);
  if (!isRowStep(parsed)) throw new Error('expected a step that looks at one row');
  return rowStep(parsed, { text: 'text', label: 'label' })(row);
}

describe('steps on text', () => {
  const rows: readonly [step: CleaningStepInput, before: string, after: string | undefined][] = [
    [{ step: 'normalize-unicode' }, 'e\u0301\ufeff\u0000a\r\nb\rc\ud800', 'éa\nb\nc\ufffd'],
    [{ step: 'normalize-unicode' }, '😀 ﬁ', '😀 ﬁ'],
    [{ step: 'normalize-unicode', form: 'NFKC' }, 'ﬁ ①', 'fi 1'],
    [{ step: 'collapse-whitespace' }, ' a \u00a0 b\n\nc\t', 'a b c'],
    [{ step: 'collapse-whitespace', lines: true }, ' a  b \n \n\n\n c\t', 'a b\n\nc'],
    [{ step: 'strip-html' }, '<p>a &amp; b</p>', 'a & b'],
    [{ step: 'lower-case' }, 'ÄB', 'äb'],
    [{ step: 'replace', pattern: '\\d', with: '0' }, 'a1b23', 'a0b00'],
    [{ step: 'replace', pattern: '(\\p{Lu})', with: '<$1>' }, 'aÄ', 'a<Ä>'],
    [{ step: 'truncate', characters: 3 }, 'abcd', 'abc'],
    [{ step: 'truncate', characters: 3 }, 'ab😀', 'ab'],
    [{ step: 'truncate', characters: 9 }, 'abcd', 'abcd'],
    [{ step: 'drop-empty' }, ' \n\u00a0', undefined],
    [{ step: 'drop-empty' }, ' x', ' x'],
    [{ step: 'drop-short', min: 3 }, 'ab', undefined],
    [{ step: 'drop-short', min: 3 }, 'abc', 'abc'],
    [{ step: 'drop-short', min: 2, unit: 'words' }, 'one ', undefined],
    [{ step: 'drop-long', max: 2, unit: 'words' }, 'one two three', undefined],
    [{ step: 'drop-long', max: 3 }, 'abc', 'abc'],
  ];
  for (const [step, before, after] of rows) {
    it(`${JSON.stringify(step)} makes ${JSON.stringify(after)} of ${JSON.stringify(before)}`, () => {
      expect(apply(step, { text: before, label: 'x' })?.text).toBe(after);
    });
  }

  it('leave the row itself where they change nothing, and what is no text alone', () => {
    const row = { text: 'plain', label: 'x' };
    const numeric = { text: 5, label: 'x' };
    for (const step of [
      'normalize-unicode',
      'collapse-whitespace',
      'strip-html',
      'lower-case',
      'drop-empty',
    ] as const) {
      expect(apply({ step }, row)).toBe(row);
      expect(apply({ step }, numeric)).toBe(numeric);
    }
    expect(apply({ step: 'lower-case', column: 'label' }, { text: 'A', label: 'B' })).toEqual({
      text: 'A',
      label: 'b',
    });
  });
});

describe('steps on columns', () => {
  it('map labels by name and by pattern', () => {
    const step = { step: 'map-labels', map: { 'easy-*': 'ham', 'easy-spam': 'spam', '5': 'five' } } as const;
    const label = (value: string | number): unknown => apply(step, { text: 't', label: value })?.label;
    expect(['easy-ham-1', 'easy-spam', 'hard.easy-x', 5].map(label)).toEqual(['ham', 'spam', 'hard.easy-x', 'five']);
    expect(apply({ ...step, others: 'drop' }, { text: 't', label: 'x' })).toBeUndefined();
    expect(() => apply({ ...step, others: 'fail' }, { text: 't', label: 'x' })).toThrow(/label "x" is not in the map/);
    expect(apply(step, { text: 't', label: null })?.label).toBeNull();
    expect(apply({ step: 'map-labels', map: { a: 'b' } }, { text: 't', label: 'toString' })?.label).toBe('toString');
  });

  it('rename and keep', () => {
    expect(apply({ step: 'rename', from: 'a', to: 'b' }, { a: 1, b: 2, c: 3 })).toEqual({ b: 1, c: 3 });
    expect(apply({ step: 'rename', from: 'none', to: 'b' }, { b: 2 })).toEqual({ b: 2 });
    expect(apply({ step: 'keep-columns', columns: ['b', 'none'] }, { a: 1, b: 2 })).toEqual({ b: 2 });
  });

  it('refuse settings that make no sense', () => {
    expect(() => apply({ step: 'replace', pattern: '(' }, { text: 't' })).toThrow(
      /replace: Invalid regular expression/,
    );
    expect(() => cleaningStepSchema.parse({ step: 'truncate', characters: 0 })).toThrow();
    expect(() => cleaningStepSchema.parse({ step: 'lower-case', colum: 'x' })).toThrow(/colum/);
    expect(() => cleaningStepSchema.parse({ step: 'drop-near-duplicates', threshold: 1.5 })).toThrow();
  });
});

describe('cleaning', () => {
  const texts = Array.from({ length: 30 }, (_, index) => `number ${index} ${'xyz'.repeat(index + 1)}`);
  const rows = texts.map((text, index) => ({
    text,
    label: index % 2 === 0 ? 'even' : 'odd',
    stars: index,
    note: "it's",
  }));
  const clean = async (cleaning: CleaningStepInput[]) => {
    writeFileSync(join(directory, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
    const dataset = await datasetFromFile({ source: { kind: 'jsonl', path: 'rows.jsonl' }, directory, cleaning });
    const kept: Row[] = [];
    for (const split of SPLITS) kept.push(...(await dataset.readSplit(split)));
    return { effects: dataset.facts.cleaning, kept };
  };

  it('filters by a query over typed columns, batch after batch', async () => {
    const { kept, effects } = await clean([
      { step: 'filter', sql: "stars >= 10 and stars < 25 and length(text) > 5 and note = 'it''s' -- a comment" },
    ]);
    expect(kept.map(({ stars }) => stars as number).sort((left, right) => left - right)).toEqual(
      rows.slice(10, 25).map(({ stars }) => stars),
    );
    expect(effects[0]).toMatchObject({ rowsIn: 30, dropped: 15, changed: 0 });
    await expect(clean([{ step: 'filter', sql: 'starz > 1' }])).rejects.toThrow(/filter "starz > 1": .*starz/);
    await expect(clean([{ step: 'filter', sql: '1=1); drop table filter_rows; --' }])).rejects.toThrow(/filter/);
  });

  it('says what each step did, with examples, in the order given', async () => {
    const { effects } = await clean([
      { step: 'replace', pattern: '^number', with: 'No.' },
      { step: 'drop-short', min: 12 },
      { step: 'map-labels', map: { even: 'EVEN' } },
      { step: 'keep-columns', columns: ['text', 'label'] },
    ]);
    expect(effects.map(({ step, rowsIn, changed, dropped }) => [step.step, rowsIn, changed, dropped])).toEqual([
      ['replace', 30, 30, 0],
      ['drop-short', 30, 0, 1],
      ['map-labels', 29, 14, 0],
      ['keep-columns', 29, 29, 0],
    ]);
    expect(effects[0]!.examples).toHaveLength(5);
    expect(effects[0]!.examples[0]).toEqual({
      at: 'rows.jsonl:1',
      what: 'changed',
      before: 'number 0 xyz',
      after: 'No. 0 xyz',
    });
    expect(effects[1]!.examples[0]).toEqual({ at: 'rows.jsonl:1', what: 'dropped', before: 'No. 0 xyz' });
    expect(effects[2]!.examples[0]).toEqual({ at: 'rows.jsonl:3', what: 'changed', before: 'even', after: 'EVEN' });
    expect(effects[3]!.examples).toEqual([]);
  });

  it('looks for duplicates in the column it is told', async () => {
    const twice = rows.flatMap((row) => [
      { ...row, body: row.text },
      { ...row, text: `From: someone else, about ${row.stars}`, body: row.text.toUpperCase() },
    ]);
    writeFileSync(join(directory, 'twice.jsonl'), twice.map((row) => JSON.stringify(row)).join('\n'));
    const left = async (column: string): Promise<number> => {
      const { facts } = await datasetFromFile({
        source: { kind: 'jsonl', path: 'twice.jsonl' },
        directory,
        cleaning: [
          { step: 'drop-exact-duplicates', column },
          { step: 'keep-columns', columns: ['text', 'label'] },
        ],
      });
      return facts.rows.kept;
    };
    expect(await left('body')).toBe(30);
    expect(await left('text')).toBe(60);
  });
});
