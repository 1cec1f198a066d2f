import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadTokenizer, trainWordPiece } from '../../data/index.ts';
import { tokenFeatures } from '../features.ts';
import type { Example, TextExample } from './task.ts';
import {
  type Aggregation,
  labelledParts,
  type NamedEntity,
  type TaggedExamples,
  tokenClassification,
} from './token-classification.ts';

const texts = ['Anna Smithson lives in New Yorkshire, and she likes it.', 'the rivers of London run slowly'];
const files = trainWordPiece(texts, { vocabularySize: 90, lowercase: false });
const tokenizer = loadTokenizer(files.tokenizer, files.config);
const LABELS = ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC'];

const features = (maxLength: number) => tokenFeatures({ kind: 'tokens', maxLength, tokenTypes: true }, tokenizer);

const encode = (example: TextExample, settings: object, maxLength = 128): TaggedExamples =>
  tokenClassification.encode(features(maxLength), [example], {
    settings: tokenClassification.settings.parse(settings),
  }) as TaggedExamples;

describe('scores of tokens', () => {
  const fixture = JSON.parse(readFileSync(new URL('fixtures/aggregation.json', import.meta.url), 'utf8')) as {
    readonly labels: readonly string[];
    readonly cases: readonly {
      readonly text: string;
      readonly tokens: readonly (readonly number[])[];
      readonly answers: Readonly<Record<Aggregation, readonly (readonly [string, number, number, number])[]>>;
    }[];
  };

  it.each(['simple', 'first', 'average', 'max'] as const)('become entities as in transformers: %s', (aggregation) => {
    for (const { text, tokens, answers } of fixture.cases) {
      const count = tokens.length;
      const words = Int32Array.from(tokens, ([word]) => word!);
      const encoding = {
        ids: new Int32Array(count),
        typeIds: new Uint8Array(count),
        specialTokensMask: new Uint8Array(count),
        offsets: Int32Array.from(tokens.flatMap(([, start, end]) => [start!, end!])),
        texts: new Int8Array(count),
        words,
        truncated: false,
      };
      const encoded: TaggedExamples = {
        dataset: { size: 1, columns: {} },
        truncated: 0,
        windows: [{ ...encoding, start: 0, end: count, before: 0 }],
        texts: [{ encoding, words }],
        exampleOf: Int32Array.of(0),
        aggregation,
      };
      const scores = Float64Array.from(tokens.flatMap((token) => token.slice(3)));
      const context = { labels: fixture.labels, encoded, settings: {} };
      const { entities } = tokenClassification.answer([scores], { text }, context, 0);
      expect(entities.map(({ label, start, end }) => [label, start, end])).toEqual(
        answers[aggregation].map(([label, , start, end]) => [label, start, end]),
      );
      for (const [at, { score }] of entities.entries()) expect(score).toBeCloseTo(answers[aggregation][at]![1], 6);
    }
  });
});

/** Logits by the place of a token in the text: of the entity that stands there. */
function answerTo(example: TextExample, entities: readonly Omit<NamedEntity, 'score' | 'text'>[], maxLength = 128) {
  const settings = { aggregation: 'first', overlap: 4 };
  const encoded = encode(example, settings, maxLength);
  const readings = encoded.windows.map((window, index) => {
    const { ids, offsets } = window;
    const logits = new Float32Array(ids.length * LABELS.length);
    for (let token = 0; token < ids.length; token++) {
      const [start, end] = [offsets[token * 2]!, offsets[token * 2 + 1]!];
      const entity = entities.find((one) => one.start < end && one.end > start);
      // What stands at the edge of a window is not to be trusted.
      const isEdge = (token === window.end - 1 && index < encoded.windows.length - 1) || (token === 1 && index > 0);
      const name = isEdge
        ? 'B-PER'
        : entity === undefined
          ? 'O'
          : `${entity.start === start ? 'B' : 'I'}-${entity.label}`;
      logits[token * LABELS.length + LABELS.indexOf(name)] = 9;
    }
    const output = { data: logits, dims: [ids.length, LABELS.length] };
    return tokenClassification.read([output], index, { labels: LABELS, encoded, settings });
  });
  const context = { labels: LABELS, encoded, settings };
  return { encoded, readings, answer: tokenClassification.answer(readings, example, context, 0) };
}

describe('entities of a text', () => {
  const [text] = texts as [string];
  const wanted = [
    { label: 'PER', start: 0, end: 13 },
    { label: 'LOC', start: 23, end: 36 },
  ];

  it('are places in it', () => {
    const { entities } = answerTo({ text }, wanted).answer;
    expect(entities.map(({ label, start, end }) => ({ label, start, end }))).toEqual(wanted);
    for (const entity of entities) expect(entity.text).toBe(text.slice(entity.start, entity.end));
    expect(tokenClassification.answerSchema.parse({ entities })).toEqual({ entities });
    expect(tokenClassification.line({ entities })).toMatch(/^Anna Smithson \(PER 0\.99\d+\), New Yorkshire \(LOC/);
    expect(tokenClassification.line({ entities: [] })).toBe('–');
  });

  it('are those of its windows, each token read where it stands deepest', () => {
    const whole = encode({ text }, {}).windows[0]!.ids.length;
    for (const maxLength of [whole - 1, 16, 12]) {
      const { encoded, answer } = answerTo({ text }, wanted, maxLength);
      expect(encoded.windows.length).toBeGreaterThan(1);
      expect(answer.entities.map(({ label, start, end }) => ({ label, start, end }))).toEqual(wanted);
    }
  });

  it('of words stand in the words joined by spaces, one label a word', () => {
    const example: Example = { text: ['Anna', 'Smithson', ',', 'New', '\u200b', 'Yorkshire'] };
    const places = [
      { label: 'PER', start: 0, end: 13 },
      { label: 'LOC', start: 16, end: 31 },
    ];
    const { encoded, readings, answer } = answerTo(example, places);
    expect(answer.entities.map(({ text: words }) => words)).toEqual(['Anna Smithson', 'New \u200b Yorkshire']);
    const parts = labelledParts(readings, { labels: LABELS, encoded }, 0);
    expect(parts.map(({ word, label }) => [word, LABELS[label]])).toEqual([
      [0, 'B-PER'],
      [1, 'I-PER'],
      [2, 'O'],
      [3, 'B-LOC'],
      [5, 'I-LOC'],
    ]);
  });

  it('are none in a text without tokens', () => {
    expect(answerTo({ text: '\u200b' }, []).answer).toEqual({ entities: [] });
  });
});
