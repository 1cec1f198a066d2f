import { LatheError } from '../../base/index.ts';
import { labelSetCounts, microF1Of, multiLabelReport } from '../../metrics/index.ts';
import { binaryCrossEntropy } from '../../nn/index.ts';
import { type Example, TASKS } from '../../pipeline/index.ts';
import { comparedBy } from './compared-by.ts';
import { sequenceClassification } from './sequence-classification.ts';
import type { Judged, TrainableTask } from './trainable-task.ts';

export const multiLabelClassification: TrainableTask<Float64Array> = {
  task: TASKS['multi-label-classification'],
  head: 'sequence-classification',
  config: { className: 'ForSequenceClassification', problemType: 'multi_label_classification' },
  transformer: sequenceClassification,
  linearOutputs: (labels) => labels.length,
  check(_examples, labels) {
    if (labels.length > 0) return;
    throw new LatheError('invalid-data', 'no row has a label', { hint: 'Check --label and --label-separator.' });
  },
  targets: (examples, _encoded, labels, where) => ({
    labels: {
      kind: 'fixed',
      values: labelSets(examples, labels, where),
      dims: [labels.length],
      dtype: 'float32',
    },
  }),
  loss({ examples, labels, classWeights }) {
    if (classWeights === 'none') return binaryCrossEntropy();
    const sets = labelSets(examples, labels);
    // As many of each label as there are texts without it.
    const positiveWeights = labels.map((_, label) => {
      let count = 0;
      for (let at = label; at < sets.length; at += labels.length) count += sets[at]!;
      return count === 0 ? 1 : (examples.length - count) / count;
    });
    return binaryCrossEntropy({ positiveWeights });
  },
  objective: (labels) => ({ kind: 'multi-label', labels }),
  report(judged, { seed = 0 } = {}) {
    const { truth, predictions } = arraysOf(judged);
    return multiLabelReport(truth, predictions, judged.labels, { seed });
  },
  compare: comparedBy((judged) => {
    const { truth, predictions } = arraysOf(judged);
    const counts = labelSetCounts(truth, predictions, judged.labels.length);
    return (indices) => microF1Of(counts, indices);
  }),
};

/** Scores of a half or more are labels. */
function arraysOf({ examples, readings, labels }: Judged<Float64Array>) {
  const predictions = new Uint8Array(examples.length * labels.length);
  for (const [row, scores] of readings.rows.entries()) {
    for (let label = 0; label < labels.length; label++) {
      predictions[row * labels.length + label] = scores[label]! >= 0.5 ? 1 : 0;
    }
  }
  return { truth: labelSets(examples, labels), predictions };
}

/** 0 or 1 for every label of every example. Throws LatheError('invalid-data') for a label that is not one of `labels`. */
function labelSets(
  examples: readonly Example[],
  labels: readonly string[],
  where: (example: number) => string = (example) => `example ${example + 1}`,
): Uint8Array {
  const indexOf = new Map(labels.map((name, index) => [name, index]));
  const sets = new Uint8Array(examples.length * labels.length);
  for (const [example, { label }] of examples.entries()) {
    for (const name of label as readonly string[]) {
      const found = indexOf.get(name);
      if (found === undefined) {
        throw new LatheError(
          'invalid-data',
          `${where(example)}: label ${JSON.stringify(name)} is not one of the model's (${labels.join(', ')})`,
        );
      }
      sets[example * labels.length + found] = 1;
    }
  }
  return sets;
}
