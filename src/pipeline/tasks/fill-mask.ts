import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { type Encoding, type Tokenizer, windowsOf } from '../../data/index.ts';
import type { FeatureExtractor } from '../features.ts';
import { softmax } from '../scores.ts';
import { datasetOf, type EncodedExamples, type Task, type TextExample, tokensOf } from './task.ts';

export interface FilledMask {
  /** The text with the likeliest token in place of each mask. */
  readonly text: string;
  /** For each mask its likeliest tokens, likeliest first. */
  readonly masks: readonly (readonly TokenCandidate[])[];
}

export interface TokenCandidate {
  readonly token: string;
  readonly score: number;
}

/** For each mask in a row the ids of its likeliest tokens with their probabilities. */
export type MaskReading = readonly (readonly { readonly id: number; readonly score: number }[])[];

interface EncodedWithMasks extends EncodedExamples {
  readonly tokenizer: Tokenizer;
  readonly encodings: readonly Encoding[];
}

const settings = z.strictObject({ candidates: z.int().min(1).max(100).default(5) });

/** The tokens behind the masks of a text. */
export const fillMask: Task<MaskReading, FilledMask, TextExample> = {
  name: 'fill-mask',
  tag: 'fill-mask',
  summary: 'find the words behind the masks of a text',
  columns: { text: 'text' },
  target: 'none',
  outputs: ['logits'],
  scores: 'softmax',
  settings,
  // The logits of a row are as many as its tokens times the vocabulary.
  batchSize: 4,
  encode(features, examples): EncodedWithMasks {
    const { tokenizer, spec } = tokensOf(features, 'fill-mask');
    const encodings = examples.map(({ text }) => tokenizer.encode(whole(text), { maxLength: spec.maxLength }));
    const dataset = datasetOf(encodings, features);
    return { dataset, truncated: encodings.filter(({ truncated }) => truncated).length, tokenizer, encodings };
  },
  read([logits], index, { encoded, settings: given }) {
    const { candidates } = settings.parse(given);
    const { tokenizer, encodings } = encoded as EncodedWithMasks;
    const words = logits!.dims.at(-1)!;
    return Array.from(encodings[index]!.ids).flatMap((id, at) =>
      id === tokenizer.maskId ? [likeliest(logits!.data.subarray(at * words, (at + 1) * words), candidates)] : [],
    );
  },
  answer([masks], { text }, { encoded }) {
    const { tokenizer } = encoded as EncodedWithMasks;
    const maskToken = tokenizer.maskId === undefined ? '' : (tokenizer.idToToken(tokenizer.maskId) ?? '');
    if (masks!.length === 0) {
      throw new LatheError('invalid-data', `there is no ${maskToken} in the text that the model reads`, {
        hint: `Write ${maskToken} where a word is to be found.`,
      });
    }
    const tokens = masks!.map((row) =>
      row.map(({ id, score }) => ({ token: tokenizer.decode([id], { skipSpecialTokens: false }).trim(), score })),
    );
    let next = 0;
    const filled = whole(text)
      .split(maskToken)
      .reduce((before, after) => {
        const token = tokens[next++]?.[0]?.token ?? maskToken;
        // What goes on with a word is written at its end.
        return (token.startsWith('##') ? before.trimEnd() + token.slice(2) : before + token) + after;
      });
    return { text: filled, masks: tokens };
  },
  answerSchema: z.strictObject({
    text: z.string(),
    masks: z.array(z.array(z.strictObject({ token: z.string(), score: z.number() }))),
  }),
  line: ({ text, masks }) =>
    `${text}\t${masks.map((row) => row.map(({ token, score }) => `${token} ${score.toFixed(4)}`).join(', ')).join('; ')}`,
};

/** Texts in windows, so that nothing of them is left out: what a masked language model is trained on and measured on. */
export function encodeInWindows(features: FeatureExtractor, examples: readonly TextExample[]): EncodedExamples {
  const { tokenizer, spec } = tokensOf(features, 'fill-mask');
  const owners: number[] = [];
  const encodings: Encoding[] = [];
  for (const [example, { text }] of examples.entries()) {
    for (const window of windowsOf(tokenizer.encode(whole(text)), { maxLength: spec.maxLength, over: 0 })) {
      encodings.push(window);
      owners.push(example);
    }
  }
  return { dataset: datasetOf(encodings, features), truncated: 0, exampleOf: Int32Array.from(owners) };
}

function likeliest(logits: Float32Array, count: number): { id: number; score: number }[] {
  const scores = softmax(logits, logits.length);
  const best: number[] = [];
  for (let id = 0; id < scores.length; id++) {
    if (best.length === count && scores[id]! <= scores[best.at(-1)!]!) continue;
    const place = best.findIndex((other) => scores[id]! > scores[other]!);
    best.splice(place < 0 ? best.length : place, 0, id);
    if (best.length > count) best.pop();
  }
  return best.map((id) => ({ id, score: scores[id]! }));
}

function whole(text: TextExample['text']): string {
  return typeof text === 'string' ? text : text.join(' ');
}
