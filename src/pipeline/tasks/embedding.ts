import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { lengthsOf } from '../../data/index.ts';
import { type EncodedExamples, encodeTexts, type Task, type TextExample, tokensOf } from './task.ts';

export interface Embedding {
  readonly embedding: readonly number[];
  /** Of a pair of texts: the cosine of their embeddings, −1 to 1. The embedding is that of the first then. */
  readonly similarity?: number;
}

interface EncodedApart extends EncodedExamples {
  /** Tokens of each row. */
  readonly lengths: Uint32Array;
}

const settings = z.strictObject({
  /** What a text has of its tokens: their mean, the first, or the largest of each element. */
  pooling: z.enum(['mean', 'cls', 'max']).default('mean'),
  /** Embeddings of length 1. */
  normalize: z.boolean().default(true),
});

/**
 * What tasks share whose model gives texts as vectors. Readings are the vectors of texts, two for an example that is a
 * pair: each text goes through the model alone.
 */
export const EMBEDDING = {
  outputs: ['last_hidden_state'],
  scores: 'none',
  settings,
  encode(features, examples, options): EncodedApart {
    tokensOf(features, 'an embedding of texts');
    const texts: TextExample[] = [];
    const owners: number[] = [];
    for (const [example, { text, textPair }] of examples.entries()) {
      const whole = typeof text === 'string' ? text : text.join(' ');
      for (const one of textPair === undefined ? [whole] : [whole, textPair]) {
        texts.push({ text: one });
        owners.push(example);
      }
    }
    const extracted = encodeTexts(features, texts, options);
    return { ...extracted, exampleOf: Int32Array.from(owners), lengths: lengthsOf(extracted.dataset) };
  },
  read([states], index, { encoded, settings: given }) {
    const { pooling } = settings.parse(given);
    const width = states!.dims[1]!;
    const tokens = (encoded as EncodedApart).lengths[index]!;
    return POOLED[pooling](states!.data.subarray(0, tokens * width), width);
  },
  answer([first, second], _example, { settings: given }) {
    const { normalize } = settings.parse(given);
    const length = normalize ? lengthOf(first!) : 1;
    return {
      ...(second !== undefined && { similarity: cosine(first!, second) }),
      embedding: Array.from(first!, (value) => (length === 0 ? 0 : value / length)),
    };
  },
  answerSchema: z.strictObject({ similarity: z.number().exactOptional(), embedding: z.array(z.number()) }),
  line: ({ similarity, embedding }) =>
    similarity === undefined ? embedding.map((value) => value.toFixed(4)).join(' ') : similarity.toFixed(4),
} satisfies Partial<Task<Float64Array, Embedding, TextExample>>;

/** Of the states of a text's tokens, [tokens, width], in float64. */
const POOLED: Readonly<
  Record<z.infer<typeof settings>['pooling'], (states: Float32Array, width: number) => Float64Array>
> = {
  mean(states, width) {
    const sum = new Float64Array(width);
    for (let at = 0; at < states.length; at++) sum[at % width]! += states[at]!;
    const tokens = states.length / width;
    return sum.map((value) => value / tokens);
  },
  cls: (states, width) => Float64Array.from(states.subarray(0, width)),
  max(states, width) {
    const largest = new Float64Array(width).fill(Number.NEGATIVE_INFINITY);
    for (let at = 0; at < states.length; at++) largest[at % width] = Math.max(largest[at % width]!, states[at]!);
    return largest;
  },
};

/** The cosine of two vectors; 0 where one of them is zero. Throws LatheError('shape') for vectors of different lengths. */
export function cosine(first: Float64Array, second: Float64Array): number {
  if (first.length !== second.length) {
    throw new LatheError('shape', `cosine: vectors of ${first.length} and ${second.length} elements`);
  }
  let product = 0;
  for (let at = 0; at < first.length; at++) product += first[at]! * second[at]!;
  const lengths = lengthOf(first) * lengthOf(second);
  return lengths === 0 ? 0 : Math.max(-1, Math.min(1, product / lengths));
}

function lengthOf(vector: Float64Array): number {
  let squares = 0;
  for (const value of vector) squares += value * value;
  return Math.sqrt(squares);
}
