import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { answerOf, jsonOf, lathe, temporaryFolder } from './lathe.ts';

const folder = temporaryFolder();

interface Result {
  readonly task: string;
  readonly examples: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly perClass: Readonly<Record<string, { readonly f1: number; readonly support: number }>>;
}
interface Entity {
  readonly label: string;
  readonly score: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const run = <T = Result>(words: string): Promise<T> => answerOf<T>(folder, words.split(' '));

const PEOPLE = ['Anna Berg', 'Juan', 'Mei Lin Wu', 'Oskar Novak', 'Priya', 'Tom'];
const PLACES = ['Paris', 'New York', 'Rio de Janeiro', 'Oslo', 'Cairo'];
const SENTENCES = [
  ['@PER', 'lives in', '@LOC', 'and works there .'],
  ['yesterday', '@PER', 'met', '@PER', 'near', '@LOC', '.'],
  ['the rain in', '@LOC', 'did not stop for days'],
  ['"', '@PER', '" was the name that she gave ,', 'said', '@PER'],
  ['nothing happened at all today'],
];

interface Part {
  readonly words: readonly string[];
  readonly label?: string;
}

/** A sentence with its names, and a number that makes it no other's twin. */
function sentence(row: number): readonly Part[] {
  const parts = SENTENCES[row % SENTENCES.length]!.map((part, at): Part => {
    const names = part === '@PER' ? PEOPLE : part === '@LOC' ? PLACES : undefined;
    if (names === undefined) return { words: part.split(' ') };
    return { words: names[(row * 7 + at * 3) % names.length]!.split(' '), label: part.slice(1) };
  });
  return [...parts, { words: ['item', String(row), `w${row * 17}`] }];
}

const tagged = (row: number): (readonly [string, string])[] =>
  sentence(row).flatMap(({ words, label }) =>
    words.map((word, at) => [word, label === undefined ? 'O' : `${at === 0 ? 'B' : 'I'}-${label}`] as const),
  );

const ROWS = Array.from({ length: 300 }, (_, row) => row);
const TRAINING =
  '--arch bert-tiny --vocabulary-size 400 --max-length 48 --cased --epochs 8 --batch-size 16 --learning-rate 2e-3';

describe('tags in a CoNLL file', () => {
  writeFileSync(
    join(folder, 'names.conll'),
    `-DOCSTART- -X- O\n\n${ROWS.map(
      (row) =>
        `${tagged(row)
          .map(([word, tag]) => `${word} NN ${tag}`)
          .join('\n')}\n`,
    ).join('\n')}`,
  );

  let trained: Result;

  it('are prepared', async () => {
    await run('data prepare names.conll --out names');
    const facts = JSON.parse(readFileSync(join(folder, 'names', 'dataset.json'), 'utf8'));
    expect([facts.target, facts.labels, facts.columns.text, facts.columns.label]).toEqual([
      'tags',
      ['B-LOC', 'B-PER', 'I-LOC', 'I-PER', 'O'],
      'tokens',
      'tags',
    ]);
    expect(facts.rows.kept).toBe(300);
  });

  it('are learned', { timeout: 180_000 }, async () => {
    trained = await run(`train --data names --out tagger ${TRAINING}`);
    expect(trained.task).toBe('token-classification');
    expect(Object.keys(trained.metrics)).toEqual([
      ...['precision', 'recall', 'f1', 'macroF1', 'weightedF1', 'accuracy'],
    ]);
    expect(trained.metrics.f1).toBeGreaterThan(0.9);
    expect(Object.keys(trained.perClass)).toEqual(['LOC', 'PER']);
    const config = JSON.parse(readFileSync(join(folder, 'tagger', 'config.json'), 'utf8'));
    expect([config.architectures, config.id2label['4']]).toEqual([['BertForTokenClassification'], 'O']);
    const report = readFileSync(join(folder, 'runs', 'tagger', 'report.html'), 'utf8');
    expect(report).toMatch(/<th scope="row">PER<\/th>/);
    expect(report).toContain('entity_f1|average:micro|mode:default|zero_division:0');
  });

  it('are measured, in prepared data and in files', async () => {
    expect((await run('evaluate tagger --data names')).metrics).toEqual(trained.metrics);
    expect((await run('evaluate tagger --data names.conll')).examples).toBe(300);
  });

  it('are predicted, with their places', async () => {
    const text = 'yesterday Anna Berg met Tom near Rio de Janeiro .';
    const ended = await lathe(folder, ['predict', 'tagger', text, '--json']);
    const [answer] = jsonOf<{ predictions: { entities: Entity[] }[] }>(ended).predictions;
    expect(answer!.entities.map(({ label, text: words }) => [label, words])).toEqual([
      ['PER', 'Anna Berg'],
      ['PER', 'Tom'],
      ['LOC', 'Rio de Janeiro'],
    ]);
    for (const { start, end, text: words } of answer!.entities) expect(text.slice(start, end)).toBe(words);
  });

  it('that the model does not know are refused with their row', async () => {
    writeFileSync(join(folder, 'odd.conll'), 'Tom B-PER\n\nMars B-PLANET\n');
    const ended = await lathe(folder, ['evaluate', 'tagger', '--data', 'odd.conll']);
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringMatching(/row 2 of test: tag "B-PLANET" is not one of the model's \(B-LOC, B-PER/),
    ]);
  });

  it('of a broken sentence are left out, with the line', async () => {
    writeFileSync(join(folder, 'broken.conll'), 'Tom B-PER\nhere\n\nAnna B-PER\nsits O\n\nTom B-PER\n\nOslo B-LOC\n');
    const ended = await lathe(folder, 'data inspect broken.conll --json'.split(' '));
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/broken\.conll.{0,40}2/);
    expect(ended.stdout).toContain('a line without a token and its tag');
  });
});

describe('places of entities in a text', () => {
  const spans = (row: number) => {
    let text = row % 3 === 0 ? '😀 ' : '';
    const entities: { start: number; end: number; label: string; text: string }[] = [];
    for (const { words, label } of sentence(row)) {
      const start = text.length;
      text += words.join(' ');
      if (label !== undefined) entities.push({ start, end: text.length, label, text: words.join(' ') });
      text += ' ';
    }
    return { text, entities };
  };
  writeFileSync(join(folder, 'spans.jsonl'), ROWS.map((row) => JSON.stringify(spans(row))).join('\n'));

  it('are learned from a file, measured and predicted', { timeout: 180_000 }, async () => {
    const trained = await run(`train --data spans.jsonl --target spans --out spotter ${TRAINING}`);
    expect(trained.task).toBe('token-classification');
    expect(trained.metrics.f1).toBeGreaterThan(0.9);
    const manifest = JSON.parse(readFileSync(join(folder, 'spotter', 'lathe.json'), 'utf8'));
    expect(manifest.pipeline.settings).toEqual({ aggregation: 'simple', overlap: 32 });
    expect(manifest.columns).toEqual({ text: 'text', label: 'entities', target: 'spans' });
    expect((await run('evaluate spotter --data spans.jsonl --split test')).metrics).toEqual(trained.metrics);
    const ended = await lathe(folder, ['predict', 'spotter', '😀 the rain in New York did not stop for days']);
    expect(ended.stdout).toMatch(/^New York \(LOC 0\.\d{4}\)\n$/);
  });

  it('that are none in their text leave the row out', async () => {
    const rows = [{ text: 'Tom', entities: [{ start: 0, end: 4, label: 'PER' }] }, ...ROWS.slice(0, 9).map(spans)];
    rows.push({ text: 'a 😀 Tom', entities: [{ start: 4, end: 7, label: 'PER', text: 'Tom' }] });
    writeFileSync(join(folder, 'off.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
    const ended = await lathe(folder, 'data inspect off.jsonl --target spans --json'.split(' '));
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toContain('entities has an entity from 0 to 4 in a text of 3 UTF-16 units');
    expect(ended.stdout).toContain('entities says that \\"Tom\\" is at 4, where \\" To\\" is');
  });
});
