import { describe, expect, it } from 'vitest';
import { random } from '../../base/index.ts';
import { loadTokenizer, trainWordPiece } from '../../data/index.ts';
import { tokenFeatures } from '../features.ts';
import { type QuestionWindows, questionAnswering } from './question-answering.ts';
import type { TextExample } from './task.ts';

const context = 'Anna was born in 😀 Rio de Janeiro, where her father Juan sold fish; she left for Oslo in the spring.';
const question = 'Where was Anna born?';
const files = trainWordPiece([context, question], { vocabularySize: 120, lowercase: false });
const tokenizer = loadTokenizer(files.tokenizer, files.config);
const example: TextExample = { text: question, textPair: context };

function encode(maxLength: number, given: object = {}, of: TextExample = example): QuestionWindows {
  const features = tokenFeatures({ kind: 'tokens', maxLength, tokenTypes: true }, tokenizer);
  return questionAnswering.encode(features, [of], {
    settings: questionAnswering.settings.parse(given),
  }) as QuestionWindows;
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

/** What every pair of tokens of every window says, looked at one by one. */
function bruteForce(encoded: QuestionWindows, logits: readonly (readonly Float32Array[])[], longest: number): Span[] {
  const best = new Map<string, Span>();
  for (const [row, { start, end, offsets }] of encoded.windows.entries()) {
    const [starts, ends] = logits[row]!;
    for (let first = start; first < end; first++) {
      for (let last = first; last < Math.min(end, first + longest); last++) {
        const span = { start: offsets[first * 2]!, end: offsets[last * 2 + 1]!, score: starts![first]! + ends![last]! };
        const known = best.get(`${span.start} ${span.end}`);
        if (known === undefined || known.score < span.score) best.set(`${span.start} ${span.end}`, span);
      }
    }
  }
  return [...best.values()].sort((one, other) => other.score - one.score);
}

function answersOf(
  maxLength: number,
  given: object,
  logitsOf: (tokens: number, row: number) => readonly Float32Array[],
) {
  const settings = questionAnswering.settings.parse(given);
  const encoded = encode(maxLength, given);
  const logits = encoded.windows.map(({ ids }, row) => logitsOf(ids.length, row));
  const context = { labels: [], encoded, settings };
  const readings = logits.map((row, index) =>
    questionAnswering.read(
      row.map((data) => ({ data, dims: [data.length] })),
      index,
      context,
    ),
  );
  return { encoded, logits, readings, answer: questionAnswering.answer(readings, example, context, 0) };
}

describe('answers in a text', () => {
  it('are the likeliest spans of all windows', () => {
    const numbers = random(3);
    const given = { overlap: 6, candidates: 100, maxAnswerTokens: 5, mayDecline: false };
    for (const maxLength of [24, 32, 128]) {
      const { encoded, logits, answer } = answersOf(maxLength, given, (tokens) =>
        [0, 1].map(() => Float32Array.from({ length: tokens }, () => numbers.uniform() * 8)),
      );
      expect(encoded.windows.length > 1).toBe(maxLength < 64);
      const spans = bruteForce(encoded, logits, 5).slice(0, 100);
      expect(answer.candidates.map(({ start, end }) => [start, end])).toEqual(
        spans.map(({ start, end }) => [start, end]),
      );
      const total = spans.reduce((sum, { score }) => sum + Math.exp(score - spans[0]!.score), 0);
      for (const [at, { score }] of answer.candidates.entries()) {
        expect(score).toBeCloseTo(Math.exp(spans[at]!.score - spans[0]!.score) / total, 6);
      }
      const { candidates, ...best } = answer;
      expect(best).toEqual(candidates[0]);
      for (const one of candidates) expect(one.answer).toBe(context.slice(one.start, one.end));
    }
  });

  /** Logits for the answer, and for there being none in each window. */
  const sure = (encoded: QuestionWindows, words: string, score: number, none: number) =>
    encoded.windows.map(({ ids, offsets, start, end }) => {
      const rows = [0, 1].map(() => new Float32Array(ids.length).fill(-9));
      const from = context.indexOf(words);
      for (let token = start; token < end; token++) {
        if (offsets[token * 2] === from) rows[0]![token] = score / 2;
        if (offsets[token * 2 + 1] === from + words.length) rows[1]![token] = score / 2;
      }
      for (const row of rows) row[0] = none / 2;
      return rows;
    });

  it('may be none, by a threshold', () => {
    const asked = (given: object, none: number) => {
      const rows = sure(encode(56, { overlap: 24 }), 'Rio de Janeiro', 8, none);
      return answersOf(56, { overlap: 24, ...given }, (_, row) => rows[row]!).answer;
    };
    expect(asked({}, 7).answer).toBe('Rio de Janeiro');
    expect(context.slice(asked({}, 7).start, asked({}, 7).end)).toBe('Rio de Janeiro');
    expect(asked({}, 9)).toMatchObject({ answer: '', start: 0, end: 0 });
    expect(asked({ threshold: 2 }, 9).answer).toBe('Rio de Janeiro');
    expect(asked({ threshold: -2 }, 7).answer).toBe('');
    const answered = asked({ mayDecline: false }, 9);
    expect(answered.answer).toBe('Rio de Janeiro');
    expect(answered.candidates.every(({ answer }) => answer !== '')).toBe(true);
    expect(questionAnswering.answerSchema.parse(answered)).toEqual(answered);
    expect(questionAnswering.line(asked({}, 9))).toMatch(/^–\t0\.\d{4}$/);
  });

  it('are looked for behind the beginning of a question that is too long', () => {
    const encoded = encode(24, {}, { text: `${question} `.repeat(20), textPair: context });
    expect(encoded.truncated).toBe(1);
    expect(encoded.windows.every(({ start, end }) => end - start > 4)).toBe(true);
  });

  it('need a text', () => {
    expect(() => encode(24, {}, { text: question })).toThrow(
      /"Where was Anna born\?" has no text to find the answer in/,
    );
    const { answer } = answersOf(24, {}, (tokens) => [0, 1].map(() => new Float32Array(tokens)));
    expect(answer.candidates.length).toBeGreaterThan(0);
    const empty = encode(24, {}, { text: question, textPair: '' });
    const rows = empty.windows.map(({ ids }) => [0, 1].map(() => ({ data: new Float32Array(ids.length), dims: [1] })));
    const inside = { labels: [], encoded: empty, settings: { mayDecline: false } };
    const reading = questionAnswering.read(rows[0]!, 0, inside);
    expect(questionAnswering.answer([reading], { text: question, textPair: '' }, inside, 0).answer).toBe('');
  });
});
