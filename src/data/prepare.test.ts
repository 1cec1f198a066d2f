import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LatheError } from '../base/index.ts';
import { openDataset } from './dataset.ts';
import { datasetFromFile, inspectData, type PrepareOptions, prepareDataset } from './prepare.ts';
import { SPLITS } from './split.ts';

const directory = mkdtempSync(join(tmpdir(), 'lathe-prepare-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
/** Writes rows as JSON lines and returns the options that read them. */
function given(rows: readonly object[], options: Partial<PrepareOptions> = {}): PrepareOptions {
  const path = `rows-${files++}.jsonl`;
  writeFileSync(join(directory, path), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return { source: { kind: 'jsonl', path }, directory, ...options };
}

/** Texts that have nothing in common. */
const reviews = (count: number, from = 0): { text: string; label: string; id: number }[] =>
  Array.from({ length: count }, (_, offset) => {
    const index = from + offset;
    const words = Array.from({ length: 12 }, (_, word) => `w${index * 12 + word}`);
    return { text: words.join(' '), label: index % 3 === 0 ? 'bad' : 'good', id: index };
  });

const out = (): string => join(directory, `out-${files++}`);
const failure = async (promise: Promise<unknown>): Promise<LatheError> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LatheError);
  return error as LatheError;
};

describe('prepareDataset', () => {
  it('writes splits, facts and a report that can be opened again', async () => {
    const folder = out();
    const made = await prepareDataset({ ...given(reviews(300)), out: folder, seed: 7 });
    expect(readdirSync(folder).sort()).toEqual([
      'dataset.json',
      'report.html',
      'test.jsonl',
      'train.jsonl',
      'validation.jsonl',
    ]);
    const opened = await openDataset(folder);
    expect(opened.facts).toEqual(made.facts);
    expect(opened.facts.labels).toEqual(['bad', 'good']);
    expect(opened.facts.columns).toEqual({ text: 'text', label: 'label', all: ['text', 'label', 'id'] });
    expect(opened.facts.rows).toEqual({ read: 300, unusable: 0, dropped: 0, kept: 300 });
    const ids: unknown[] = [];
    for (const split of SPLITS) {
      const rows = await opened.readSplit(split);
      expect(rows).toHaveLength(opened.facts.splits[split]);
      expect(await made.readSplit(split)).toEqual(rows);
      ids.push(...rows.map(({ id }) => id));
      const hash = createHash('sha256')
        .update(readFileSync(join(folder, `${split}.jsonl`)))
        .digest('hex');
      expect(opened.facts.files[split].sha256).toBe(hash);
    }
    expect(ids.map(Number).sort((left, right) => left - right)).toEqual(reviews(300).map(({ id }) => id));
    const shares = SPLITS.map((split) => opened.facts.splits[split] / 300);
    expect(shares[0]).toBeGreaterThan(0.7);
    expect(shares[0]).toBeLessThan(0.9);
  });

  it('gives the same bytes again, and others for another seed', async () => {
    const options = given(reviews(200));
    const first = await datasetFromFile(options);
    expect((await datasetFromFile(options)).facts).toEqual(first.facts);
    expect((await datasetFromFile({ ...options, seed: 1 })).facts.contentHash).not.toBe(first.facts.contentHash);
    const folder = out();
    expect((await prepareDataset({ ...options, out: folder })).facts).toEqual(first.facts);
  });

  it('moves no row when rows are added, wherever they are added', async () => {
    const placed = async (rows: readonly object[]): Promise<Map<unknown, string>> => {
      const dataset = await datasetFromFile(given(rows));
      const places = new Map<unknown, string>();
      for (const split of SPLITS) for (const row of await dataset.readSplit(split)) places.set(row.id, split);
      return places;
    };
    const before = await placed(reviews(150));
    const after = await placed([...reviews(70, 150), ...reviews(150), ...reviews(70, 220)]);
    for (const [id, split] of before) expect(after.get(id)).toBe(split);
    expect(after.size).toBe(290);
  });

  it('keeps groups and near-duplicates of different labels together', async () => {
    const rows = reviews(200).map((row) => ({ ...row, author: `a${row.id % 40}` }));
    const dataset = await datasetFromFile(given(rows, { group: 'author' }));
    const splitOfAuthor = new Map<unknown, string>();
    for (const split of SPLITS) {
      for (const { author } of await dataset.readSplit(split)) {
        expect(splitOfAuthor.get(author) ?? split).toBe(split);
        splitOfAuthor.set(author, split);
      }
    }
    expect(new Set(splitOfAuthor.values()).size).toBe(3);

    const long = Array.from({ length: 60 }, (_, word) => `x${word}`).join(' ');
    const twins = [
      { text: `${long} yes`, label: 'good' },
      { text: `${long} no`, label: 'bad' },
    ];
    for (let seed = 0; seed < 8; seed++) {
      const mixed = await datasetFromFile(given([...reviews(60), ...twins], { seed }));
      const places = await Promise.all(
        SPLITS.map(
          async (split) => (await mixed.readSplit(split)).filter(({ text }) => String(text).startsWith('x0')).length,
        ),
      );
      expect(places.filter((count) => count > 0)).toEqual([2]);
    }
  });

  it('drops duplicates and says which', async () => {
    const long = Array.from({ length: 60 }, (_, word) => `x${word}`).join(' ');
    const { facts, report } = await datasetFromFile(
      given([
        ...reviews(50),
        { text: '  W0 w1 W2 w3 w4 w5 w6 w7 w8 w9 w10\nw11 ', label: 'bad' },
        { text: reviews(2)[1]!.text, label: 'bad' },
        { text: `${long} end`, label: 'good' },
        { text: `${long} fin`, label: 'good' },
      ]),
    );
    // One copy goes; a text under two labels goes with its other; one near-duplicate goes.
    expect(facts.rows).toEqual({ read: 54, unusable: 0, dropped: 4, kept: 50 });
    const [, exact, near] = facts.cleaning;
    expect([exact!.dropped, exact!.conflicts, near!.dropped]).toEqual([3, 1, 1]);
    const path = `${(facts.source as { path: string }).path}`;
    expect(exact!.examples[0]).toMatchObject({ at: `${path}:51`, what: 'dropped', other: `${path}:1` });
    expect(exact!.examples[1]).toMatchObject({ at: `${path}:52`, what: 'conflict', other: `${path}:2` });
    expect(near!.examples[0]).toMatchObject({ at: `${path}:54`, other: `${path}:53` });
    expect(near!.examples[0]!.similarity).toBeGreaterThan(0.9);
    expect(report.findings.map(({ code }) => code)).toContain('conflicting-labels');
  });

  it('keeps copies on one side where no step drops them', async () => {
    const rows = reviews(100);
    const dataset = await datasetFromFile(given([...rows, ...rows.slice(0, 40)], { cleaning: [] }));
    expect(dataset.facts.rows.kept).toBe(140);
    expect(dataset.report.duplicates.exactKept).toBe(40);
    const seen = new Map<unknown, string>();
    for (const split of SPLITS) {
      for (const { id } of await dataset.readSplit(split)) {
        expect(seen.get(id) ?? split).toBe(split);
        seen.set(id, split);
      }
    }
  });

  it('honours a split that the data has, and takes validation from training where it lacks one', async () => {
    const rows = reviews(120).map((row) => ({ ...row, split: row.id < 100 ? 'Training' : 'eval' }));
    const dataset = await datasetFromFile(given(rows));
    const ids = async (split: (typeof SPLITS)[number]): Promise<number[]> =>
      (await dataset.readSplit(split)).map(({ id }) => id as number);
    expect(await ids('test')).toEqual(rows.slice(100).map(({ id }) => id));
    expect(Math.max(...(await ids('train')), ...(await ids('validation')))).toBe(99);
    expect(dataset.facts.splits.validation).toBeGreaterThan(3);
    const anew = await datasetFromFile(given(rows, { split: false }));
    expect(anew.facts.splits.test).not.toBe(20);
    const wrong = await failure(datasetFromFile(given([{ text: 'a', label: 'x', split: 'holdout' }])));
    expect(wrong.message).toMatch(/"holdout" names no split\n {2}Expected one of train, training,/);
  });

  it('fails on a leak, and leaves nothing behind', async () => {
    const long = Array.from({ length: 60 }, (_, word) => `x${word}`).join(' ');
    const rows = [
      ...reviews(40).map((row) => ({ ...row, split: 'train' })),
      ...reviews(10, 40).map((row) => ({ ...row, split: 'test' })),
      { text: reviews(1)[0]!.text.toUpperCase(), label: 'bad', split: 'test' },
      { text: `${long} end`, label: 'good', split: 'train' },
      { text: `${long} fin`, label: 'good', split: 'test' },
    ];
    const folder = out();
    const options = given(rows);
    const error = await failure(prepareDataset({ ...options, out: folder }));
    expect(error.code).toBe('leak');
    expect(error.message).toMatch(
      /^2 rows are on both sides of a split: .*:51 \(test\) says the same as .*:1 \((train|validation)\)/,
    );
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([]);

    const allowed = await datasetFromFile({ ...options, leaks: 'allow' });
    expect(allowed.report.verdict).toBe('leak');
    expect(allowed.report.leaks).toMatchObject({ exact: 1, near: 1, group: 0 });
    const repaired = await datasetFromFile({ ...options, leaks: 'drop-from-train' });
    expect(repaired.report.leaks).toMatchObject({ exact: 0, near: 0 });
    expect(repaired.facts.splits.test).toBe(12);
    expect(repaired.facts.rows.kept).toBe(51);
    expect((await inspectData(options)).verdict).toBe('leak');

    const grouped = rows.slice(0, 50).map((row, index) => ({ ...row, author: index < 45 ? `a${index % 41}` : 'last' }));
    expect((await failure(datasetFromFile(given(grouped, { group: 'author' })))).message).toMatch(/has the group of/);
  });

  it('drops every copy of what leaks from train, and every row of a group', async () => {
    const long = Array.from({ length: 60 }, (_, word) => `x${word}`).join(' ');
    let authors = 0;
    const row = (text: string, split: string, author = `author ${authors++}`) => ({
      text,
      label: 'good',
      split,
      author,
    });
    const rows = [
      ...reviews(40).map((review) => ({ ...review, split: 'train', author: review.text })),
      ...['train', 'train', 'validation', 'validation', 'test'].map((split) => row('the same words', split)),
      // Equal but for their punctuation, and nearly what the test has.
      ...[`${long} end`, `${long}, end`, `${long}; end.`].map((text) => row(text, 'train')),
      row(`${long} fin`, 'test'),
      ...['train', 'train', 'validation', 'validation', 'test', 'train'].map((split, at) =>
        row(`${at} says something else`, split, 'one author'),
      ),
    ];
    const dataset = await datasetFromFile(given(rows, { group: 'author', cleaning: [], leaks: 'drop-from-train' }));
    const texts = async (split: (typeof SPLITS)[number]): Promise<unknown[]> =>
      (await dataset.readSplit(split)).map(({ text }) => text);
    expect(await texts('test')).toEqual(['the same words', `${long} fin`, '4 says something else']);
    // Validation lost all it had, and takes of training anew.
    const others = [...(await texts('train')), ...(await texts('validation'))];
    expect(others.sort()).toEqual(
      reviews(40)
        .map(({ text }) => text)
        .sort(),
    );
  });

  it('gives every split a row when there are few, and says when there are too few', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const { facts } = await datasetFromFile(given(reviews(6), { seed }));
      for (const split of SPLITS) expect(facts.splits[split]).toBeGreaterThan(0);
    }
    const error = await failure(datasetFromFile(given(reviews(2))));
    expect(error.message).toMatch(/too few rows to split/);
  });

  it('leaves out rows that cannot be used and says where they stand', async () => {
    const path = 'broken.csv';
    const good = reviews(40)
      .map(({ text, label }) => `${text},${label}\n`)
      .join('');
    writeFileSync(join(directory, path), `text,label\n,x\n"  ",y\n"two\nlines",\nbad,x,y\n${good}`);
    const { facts, report } = await datasetFromFile({ source: { kind: 'csv', path }, directory });
    expect(facts.rows).toEqual({ read: 44, unusable: 4, dropped: 0, kept: 40 });
    expect(report.unusable.examples.map(({ line, reason }) => [line, reason])).toEqual([
      [2, 'no text'],
      [3, 'text is empty'],
      [4, 'no label'],
      [6, 'expected 2 cells, got 3'],
    ]);
    expect(report.findings.find(({ code }) => code === 'unusable-rows')!.level).toBe('warning');
  });

  const refusals: readonly [what: string, options: () => PrepareOptions, code: string, message: RegExp][] = [
    [
      'a column that is not there',
      () => given(reviews(9), { text: 'txt' }),
      'usage',
      /no column "txt"\n {2}Did you mean "text"\? The columns are "text", "label", "id"/,
    ],
    ['an empty file', () => given([]), 'invalid-data', /rows-\d+\.jsonl is empty/],
    ['only a header', () => headerOnly(), 'invalid-data', /header\.csv is empty: it has no rows/],
    [
      'text that is none',
      () => given(reviews(9), { text: 'id' }),
      'invalid-data',
      /none of the 9 rows can be used: 9 × id is a number, not text/,
    ],
    [
      'one class only',
      () => given(reviews(9).map((row) => ({ ...row, label: 'x' }))),
      'invalid-data',
      /all 9 rows have the label "x"/,
    ],
    [
      'labels that are no numbers',
      () => given(reviews(9), { target: 'number' }),
      'invalid-data',
      /expected numbers, got "(bad|good)"/,
    ],
    [
      'a step that there is none',
      () => given(reviews(9), { cleaning: [{ step: 'polish' } as never] }),
      'usage',
      /cleaning: /,
    ],
    ['a share below zero', () => given(reviews(9), { fractions: { test: -1 } }), 'usage', /split fractions: /],
    [
      'a missing file',
      () => ({ source: { kind: 'csv', path: 'none.csv' }, directory }),
      'not-found',
      /none\.csv: no such file/,
    ],
  ];
  function headerOnly(): PrepareOptions {
    writeFileSync(join(directory, 'header.csv'), 'text,label\n');
    return { source: { kind: 'csv', path: 'header.csv' }, directory };
  }
  for (const [what, options, code, message] of refusals) {
    it(`refuses ${what}`, async () => {
      const folder = out();
      const error = await failure(prepareDataset({ ...options(), out: folder }));
      expect(error.code).toBe(code);
      expect(error.message).toMatch(message);
      expect(existsSync(folder)).toBe(false);
    });
  }

  it('takes numbers as labels', async () => {
    const { facts } = await datasetFromFile(
      given(
        reviews(60).map((row) => ({ ...row, label: row.id / 2 })),
        { target: 'number' },
      ),
    );
    expect(facts.target).toBe('number');
    expect(facts.labels).toEqual([]);
    const unlabelled = await datasetFromFile(given(reviews(60), { label: false }));
    expect(unlabelled.facts.target).toBe('none');
  });

  it('replaces prepared data, and nothing else', async () => {
    const folder = out();
    await prepareDataset({ ...given(reviews(50)), out: folder });
    await prepareDataset({ ...given(reviews(60)), out: folder });
    expect((await openDataset(folder)).facts.rows.kept).toBe(60);
    const other = out();
    mkdirSync(other);
    writeFileSync(join(other, 'diary.txt'), 'dear');
    const error = await failure(prepareDataset({ ...given(reviews(50)), out: other }));
    expect(error.message).toMatch(/there is something else in that folder/);
    expect(readdirSync(other)).toEqual(['diary.txt']);
  });

  it('stops when told to, and leaves nothing behind', async () => {
    const controller = new AbortController();
    const folder = out();
    const told: string[] = [];
    const promise = prepareDataset({
      ...given(reviews(3000)),
      out: folder,
      signal: controller.signal,
      onProgress: (_done, _total, what) => {
        told.push(what);
        controller.abort();
      },
    });
    await expect(promise).rejects.toThrow(/abort/i);
    expect(told.length).toBeGreaterThan(0);
    expect(existsSync(folder)).toBe(false);
  });
});

describe('openDataset', () => {
  it('notices what has changed since', async () => {
    const folder = out();
    await prepareDataset({ ...given(reviews(50)), out: folder });
    const path = join(folder, 'test.jsonl');
    const content = readFileSync(path);
    content[10]! ^= 1;
    writeFileSync(path, content);
    expect(await failure(openDataset(folder))).toMatchObject({
      code: 'corrupt',
      message: expect.stringMatching(/has changed/),
    });
    rmSync(path);
    expect((await failure(openDataset(folder))).message).toMatch(/is missing/);
    writeFileSync(join(folder, 'dataset.json'), '{"format":"other"}');
    expect((await failure(openDataset(folder))).code).toBe('invalid-data');
    writeFileSync(join(folder, 'dataset.json'), '{');
    expect((await failure(openDataset(folder))).code).toBe('invalid-data');
    expect((await failure(openDataset(join(directory, 'nowhere')))).code).toBe('not-found');
  });
});
