import { z } from 'zod';
import { sigmoid } from '../scores.ts';
import { encodeTexts, type Task } from './task.ts';
import { scoresByLabel } from './text-classification.ts';

export interface MultiLabelClassification {
  /** Those whose score reaches the threshold, surest first. */
  readonly labels: readonly string[];
  /** Each 0 to 1, independent of the others. */
  readonly scores: Readonly<Record<string, number>>;
}

const settings = z.strictObject({ threshold: z.number().min(0).max(1).default(0.5) });

/** Any number of labels for a text, or for a pair of texts. Readings are the scores of the labels. */
export const multiLabelClassification: Task<Float64Array, MultiLabelClassification> = {
  name: 'multi-label-classification',
  tag: 'text-classification',
  summary: 'give a text, or a pair of texts, any number of labels',
  columns: { text: 'text', label: 'labels' },
  target: 'classes',
  outputs: ['logits'],
  scores: 'sigmoid',
  settings,
  encode: encodeTexts,
  read: ([logits]) => sigmoid(logits!.data),
  answer([scores], _example, { labels, settings: given }) {
    const { threshold } = settings.parse(given);
    const byLabel = scoresByLabel(scores!, labels);
    const chosen = labels.filter((label) => byLabel[label]! >= threshold);
    return { labels: chosen.sort((one, other) => byLabel[other]! - byLabel[one]!), scores: byLabel };
  },
  answerSchema: z.strictObject({ labels: z.array(z.string()), scores: z.record(z.string(), z.number()) }),
  line: ({ labels, scores }) => labels.map((label) => `${label} ${scores[label]!.toFixed(4)}`).join(', ') || '–',
};
