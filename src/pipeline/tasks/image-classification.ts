import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { softmax } from '../scores.ts';
import type { ImageExample, Task } from './task.ts';

export interface ImageClassification {
  readonly label: string;
  /** Of that label, 0 to 1. */
  readonly score: number;
  /** The likeliest labels, likeliest first: as many as the package's setting `topK` says. */
  readonly top: readonly { readonly label: string; readonly score: number }[];
}

const settings = z.strictObject({ topK: z.int().min(1).default(5) });

/** One label of several for an image. Readings are the scores of the labels, which sum to 1. */
export const imageClassification: Task<Float64Array, ImageClassification, ImageExample> = {
  name: 'image-classification',
  tag: 'image-classification',
  summary: 'give an image one label',
  columns: { image: 'image', label: 'label' },
  target: 'class',
  outputs: ['logits'],
  scores: 'softmax',
  settings,
  encodedAtATime: 256,
  encode(features, examples, { onProgress, file }) {
    if (!('preprocessing' in features)) {
      throw new LatheError(
        'unsupported',
        `image-classification needs a model of images, got one of ${features.spec.kind}`,
      );
    }
    return features.extract(
      examples.map(({ image }) => image),
      { ...(onProgress && { onProgress }), ...(file !== undefined && { file }) },
    );
  },
  read: ([logits]) => softmax(logits!.data, logits!.data.length),
  answer([scores], _example, { labels, settings: given }) {
    const { topK } = settings.parse(given);
    const order = labels.map((_, index) => index).sort((one, other) => scores![other]! - scores![one]!);
    const top = order.slice(0, topK).map((index) => ({ label: labels[index]!, score: scores![index]! }));
    return { ...top[0]!, top };
  },
  answerSchema: z.strictObject({
    label: z.string(),
    score: z.number(),
    top: z.array(z.strictObject({ label: z.string(), score: z.number() })),
  }),
  line: ({ label, score }) => `${label}\t${score.toFixed(4)}`,
};
