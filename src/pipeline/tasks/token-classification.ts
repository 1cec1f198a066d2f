import { z } from 'zod';
import {
  continues,
  type EncodedWindow,
  type Encoding,
  type TagParts,
  type TagScheme,
  tagPartsOf,
  tagSchemeOf,
  windowsOf,
} from '../../data/index.ts';
import type { FeatureExtractor } from '../features.ts';
import { softmax } from '../scores.ts';
import { datasetOf, type EncodedExamples, type Task, type TaskContext, type TextExample, tokensOf } from './task.ts';

export interface TokenClassification {
  /** In the order of the text. */
  readonly entities: readonly NamedEntity[];
}

export interface NamedEntity {
  /** The type, without the prefix that tags have. */
  readonly label: string;
  /** Mean over its words (or tokens), 0 to 1. */
  readonly score: number;
  /** Places in the text (of words: joined by spaces), in UTF-16 units: `text.slice(start, end)`. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The scores of the labels for each token of a window that is one of the text: [tokens, labels]. */
export type TokenScores = Float64Array;

/** How scores of tokens become scores of words, as Hugging Face's pipelines name it; `simple` leaves tokens as they are. */
export const AGGREGATIONS = ['simple', 'first', 'average', 'max'] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];

const settings = z.strictObject({
  aggregation: z.enum(AGGREGATIONS).default('first'),
  /** Tokens that windows of a long text have in common. */
  overlap: z.int().min(0).default(32),
});

/** Names for the words of a text. Readings are scores of tokens, window by window. */
export const tokenClassification: Task<TokenScores, TokenClassification, TextExample> = {
  name: 'token-classification',
  tag: 'token-classification',
  summary: 'find names in texts: people, places, whatever words were tagged with',
  columns: { text: 'tokens', label: 'tags' },
  target: 'tags',
  otherTargets: ['spans'],
  outputs: ['logits'],
  scores: 'softmax',
  settings,
  encode: (features, examples, { settings: given }) => encodeTagged(features, examples, settings.parse(given)),
  read([logits], index, { encoded }) {
    const { start, end } = (encoded as TaggedExamples).windows[index]!;
    const labels = logits!.dims.at(-1)!;
    return softmax(logits!.data.subarray(start * labels, end * labels), labels);
  },
  answer(readings, example, context, first) {
    const text = wholeText(example);
    return { entities: namedEntities(labelledParts(readings, context, first), context.labels, text) };
  },
  answerSchema: z.strictObject({
    entities: z.array(
      z.strictObject({
        label: z.string(),
        score: z.number(),
        start: z.int(),
        end: z.int(),
        text: z.string(),
      }),
    ),
  }),
  line: ({ entities }) =>
    entities.map(({ text, label, score }) => `${text} (${label} ${score.toFixed(4)})`).join(', ') || '–',
};

export interface TaggedExamples extends EncodedExamples {
  /** By row. */
  readonly windows: readonly EncodedWindow[];
  /** By example: all its tokens, and the word that each is of. */
  readonly texts: readonly { readonly encoding: Encoding; readonly words: Int32Array }[];
  readonly exampleOf: Int32Array;
  readonly aggregation: Aggregation;
}

/** Texts in windows that overlap, so that every token is read with others on both sides. */
function encodeTagged(
  features: FeatureExtractor,
  examples: readonly TextExample[],
  { overlap, aggregation }: z.infer<typeof settings>,
): TaggedExamples {
  const { tokenizer, spec } = tokensOf(features, 'token-classification');
  const windows: EncodedWindow[] = [];
  const owners: number[] = [];
  const texts = examples.map((example, at) => {
    const encoding = tokenizer.encode(wholeText(example));
    const special = encoding.specialTokensMask.reduce((sum, isSpecial) => sum + isSpecial, 0);
    const most = Math.max(0, Math.floor((spec.maxLength - special) / 2));
    const cut = { maxLength: spec.maxLength, over: 0 as const, overlap: Math.min(overlap, most) };
    for (const window of windowsOf(encoding, cut)) {
      windows.push(window);
      owners.push(at);
    }
    return { encoding, words: wordsOf(example, encoding) };
  });
  return {
    dataset: datasetOf(windows, features),
    truncated: 0,
    windows,
    texts,
    exampleOf: Int32Array.from(owners),
    aggregation,
  };
}

/** A text, or words joined by spaces: what places are counted in. */
export function wholeText({ text }: TextExample): string {
  return typeof text === 'string' ? text : text.join(' ');
}

/** The word of each token: one of the example's own, else one of the tokenizer's; −1 for tokens of none. */
function wordsOf({ text }: TextExample, { offsets, words }: Encoding): Int32Array {
  if (typeof text === 'string') return words;
  const found = new Int32Array(words.length).fill(-1);
  let word = 0;
  let start = 0;
  for (let token = 0; token < found.length; token++) {
    const end = offsets[token * 2 + 1]!;
    if (words[token]! < 0 || offsets[token * 2] === end) continue;
    // A token may have the space before it: where it ends is what counts.
    while (word < text.length && end > start + text[word]!.length) start += text[word++]!.length + 1;
    if (word < text.length && end > start) found[token] = word;
  }
  return found;
}

/** A word (or token) with its likeliest label. */
export interface LabelledPart {
  readonly label: number;
  readonly score: number;
  /** Places in the text. */
  readonly start: number;
  readonly end: number;
  /** −1 where it is a token of no word. */
  readonly word: number;
}

/** What the model says of each word of an example, or of each token, as the settings say. Its first row is `first`. */
export function labelledParts(
  readings: readonly TokenScores[],
  { labels, encoded }: Pick<TaskContext, 'labels' | 'encoded'>,
  first: number,
): readonly LabelledPart[] {
  const { windows, texts, exampleOf, aggregation } = encoded as TaggedExamples;
  const { encoding, words } = texts[exampleOf[first]!]!;
  const scores = scoresOfText(readings, windows.slice(first, first + readings.length), labels.length);
  const origin = encoding.texts.indexOf(0);
  const count = scores.length / labels.length;
  const parts: LabelledPart[] = [];
  for (let token = 0; token < count; ) {
    const place = origin + token;
    const word = words[place]!;
    let next = token + 1;
    if (aggregation !== 'simple') while (next < count && word >= 0 && words[origin + next] === word) next++;
    const start = encoding.offsets[place * 2]!;
    const end = encoding.offsets[(origin + next - 1) * 2 + 1]!;
    const own = Array.from({ length: next - token }, (_, index) =>
      scores.subarray((token + index) * labels.length, (token + index + 1) * labels.length),
    );
    if (end > start && (word >= 0 || aggregation === 'simple')) {
      parts.push({ ...likeliest(AGGREGATES[aggregation](own)), start, end, word });
    }
    token = next;
  }
  return parts;
}

/** Of the tokens of a word, the scores that it is judged by. */
const AGGREGATES: Readonly<Record<Aggregation, (tokens: readonly Float64Array[]) => Float64Array>> = {
  simple: ([token]) => token!,
  first: ([token]) => token!,
  average: (tokens) =>
    tokens[0]!.map((_, label) => tokens.reduce((sum, scores) => sum + scores[label]!, 0) / tokens.length),
  max: (tokens) => tokens.reduce((best, scores) => (likeliest(scores).score > likeliest(best).score ? scores : best)),
};

/** The scores of all tokens of a text; where windows overlap, of the window that a token stands deeper in. */
function scoresOfText(
  readings: readonly TokenScores[],
  windows: readonly EncodedWindow[],
  labels: number,
): Float64Array {
  const last = windows.at(-1)!;
  const count = last.before + last.end - last.start;
  const scores = new Float64Array(count * labels);
  const depths = new Int32Array(count).fill(-1);
  for (const [at, { before, start, end }] of windows.entries()) {
    const length = end - start;
    for (let token = 0; token < length; token++) {
      // The ends of the text itself are no edges.
      const left = at === 0 ? length : token;
      const right = at === windows.length - 1 ? length : length - 1 - token;
      const depth = Math.min(left, right);
      if (depth <= depths[before + token]!) continue;
      depths[before + token] = depth;
      scores.set(readings[at]!.subarray(token * labels, (token + 1) * labels), (before + token) * labels);
    }
  }
  return scores;
}

function likeliest(scores: Float64Array): { readonly label: number; readonly score: number } {
  let label = 0;
  for (let other = 1; other < scores.length; other++) if (scores[other]! > scores[label]!) label = other;
  return { label, score: scores[label]! };
}

/** Words side by side that tags say are one entity. */
export function namedEntities(parts: readonly LabelledPart[], labels: readonly string[], text: string): NamedEntity[] {
  const scheme: TagScheme = tagSchemeOf(labels);
  const entities: NamedEntity[] = [];
  let members: LabelledPart[] = [];
  let previous: TagParts = { prefix: 'O', label: '' };
  const take = (): void => {
    if (previous.prefix === 'O' || members.length === 0) return;
    const [start, end] = [members[0]!.start, members.at(-1)!.end];
    // A token may have the space before it.
    const from = start + /^\s*/.exec(text.slice(start, end))![0].length;
    entities.push({
      label: previous.label,
      score: members.reduce((sum, { score }) => sum + score, 0) / members.length,
      start: from,
      end,
      text: text.slice(from, end),
    });
  };
  for (const part of parts) {
    const next = tagPartsOf(labels[part.label]!, scheme);
    if (!continues(previous, next)) {
      take();
      members = [];
    }
    members.push(part);
    previous = next;
  }
  take();
  return entities;
}
