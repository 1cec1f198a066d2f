import { z } from 'zod';
import { softmax } from '../scores.ts';
import { encodeTexts, type Task } from './task.ts';

export interface TextClassification {
  readonly label: string;
  /** Of that label, 0 to 1. */
  readonly score: number;
  readonly scores: Readonly<Record<string, number>>;
}

/** One label of several for a text, or for a pair of texts. Readings are the scores of the labels, which sum to 1. */
export const textClassification: Task<Float64Array, TextClassification> = {
  name: 'text-classification',
  tag: 'text-classification',
  summary: 'give a text, or a pair of texts, one label',
  columns: { text: 'text', label: 'label' },
  target: 'class',
  outputs: ['logits'],
  scores: 'softmax',
  settings: z.strictObject({}),
  encode: encodeTexts,
  read: ([logits]) => softmax(logits!.data, logits!.data.length),
  answer([scores], _example, { labels }) {
    let best = 0;
    for (let index = 1; index < scores!.length; index++) if (scores![index]! > scores![best]!) best = index;
    return { label: labels[best]!, score: scores![best]!, scores: scoresByLabel(scores!, labels) };
  },
  answerSchema: z.strictObject({ label: z.string(), score: z.number(), scores: z.record(z.string(), z.number()) }),
  line: ({ label, score }) => `${label}\t${score.toFixed(4)}`,
};

export function scoresByLabel(scores: Float64Array, labels: readonly string[]): Record<string, number> {
  return Object.fromEntries(labels.map((label, index) => [label, scores[index]!]));
}
