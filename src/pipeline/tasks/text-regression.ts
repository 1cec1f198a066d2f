import { z } from 'zod';
import { encodeTexts, type Task } from './task.ts';

export interface TextRegression {
  readonly value: number;
}

/** A number for a text, or for a pair of texts. Readings are the numbers. */
export const textRegression: Task<number, TextRegression> = {
  name: 'text-regression',
  tag: 'text-classification',
  summary: 'give a text, or a pair of texts, a number',
  columns: { text: 'text', label: 'label' },
  target: 'number',
  outputs: ['logits'],
  scores: 'none',
  settings: z.strictObject({}),
  encode: encodeTexts,
  read: ([logits]) => logits!.data[0]!,
  answer: ([value]) => ({ value: value! }),
  answerSchema: z.strictObject({ value: z.number() }),
  line: ({ value }) => value.toFixed(4),
};
