import { LatheError } from '../base/index.ts';
import { presentLabels } from './class-counts.ts';
import type { Labels } from './inputs.ts';

export interface ConfusionMatrix {
  /** Class indices, ascending: every class that is true or predicted somewhere. */
  readonly labels: readonly number[];
  /** Row-major [labels, labels]: row = truth, column = prediction. */
  readonly counts: Float64Array;
}

const MOST_CLASSES = 4096;

/** How often each class was predicted as which: rows are the truth (scikit-learn `confusion_matrix`). */
export function confusionMatrix(truth: Labels, predictions: Labels): ConfusionMatrix {
  const { labels, position } = presentLabels('confusion matrix', truth, predictions);
  if (labels.length > MOST_CLASSES) {
    throw new LatheError(
      'unsupported',
      `confusion matrix: expected at most ${MOST_CLASSES} classes, got ${labels.length}`,
    );
  }
  const counts = new Float64Array(labels.length * labels.length);
  for (let index = 0; index < truth.length; index++) {
    counts[position[truth[index]!]! * labels.length + position[predictions[index]!]!]!++;
  }
  return { labels: Array.from(labels), counts };
}
