import { LatheError } from '../../base/index.ts';
import { textOf } from '../../data/index.ts';
import {
  classificationCurves,
  classificationReport,
  compareClassifiers,
  predictedLabels,
} from '../../metrics/index.ts';
import { crossEntropy, softCrossEntropy } from '../../nn/index.ts';
import type { Example, Task } from '../../pipeline/index.ts';
import { worstMistakes } from '../report/index.ts';
import { type Judged, type TrainableTask, textOfExample } from './trainable-task.ts';

/** What one label of several means for training and evaluation, whatever the examples are. */
export function classificationOf(
  task: Task<Float64Array>,
): Pick<
  TrainableTask<Float64Array>,
  'task' | 'config' | 'check' | 'positive' | 'targets' | 'loss' | 'objective' | 'report' | 'compare' | 'details'
> {
  return {
    task,
    config: { className: 'ForSequenceClassification', problemType: 'single_label_classification' },
    check(examples, labels) {
      if (labels.length < 2) {
        throw new LatheError(
          'invalid-data',
          `a classifier needs two labels or more, the data have ${labels.length === 0 ? 'none' : `only "${labels[0]}"`}`,
          { hint: 'Check --label.' },
        );
      }
      const counts = countsOf(classIndices(examples, labels), labels.length);
      const missing = labels.filter((_, index) => counts[index] === 0);
      if (missing.length > 0) {
        throw new LatheError(
          'invalid-data',
          `the train split has no example of ${missing.map((label) => `"${label}"`).join(', ')}`,
        );
      }
    },
    positive(examples, labels) {
      if (labels.length !== 2) return undefined;
      // The one that training has less of: what such tasks are usually about (spam, fraud, defects).
      const [first, second] = countsOf(classIndices(examples, labels), 2);
      return first! < second! ? labels[0] : labels[1];
    },
    targets: (examples, _encoded, labels, where) => ({
      labels: { kind: 'fixed', values: classIndices(examples, labels, where), dims: [], dtype: 'int64' },
    }),
    loss({ examples, labels, labelSmoothing, classWeights, augmentation }) {
      // Labels that are mixed with images are shares of the classes.
      const loss = augmentation?.mixing === undefined ? crossEntropy : softCrossEntropy;
      if (classWeights === 'none') return loss({ labelSmoothing });
      // n / (classes · count of the class), as scikit-learn's `balanced`.
      const counts = countsOf(classIndices(examples, labels), labels.length);
      return loss({
        labelSmoothing,
        classWeights: counts.map((count) => examples.length / (labels.length * count)),
      });
    },
    objective: (labels, positive) => ({
      kind: 'classification',
      labels,
      ...(positive !== undefined && { positive }),
    }),
    report(judged, { seed = 0 } = {}) {
      const { truth, scores } = arraysOf(judged);
      return classificationReport(truth, scores, judged.labels, {
        task: task.name,
        seed,
        ...(judged.positive !== undefined && { positive: judged.positive }),
      });
    },
    compare(first, second, seed) {
      const { truth, predictions } = arraysOf(first);
      return compareClassifiers(truth, predictions, arraysOf(second).predictions, {
        metric: 'f1',
        average: first.positive === undefined ? 'macro' : first.labels.indexOf(first.positive),
        seed,
      });
    },
    details(judged) {
      const { examples, labels } = judged;
      const { truth, predictions, scores } = arraysOf(judged);
      const positive = judged.positive === undefined ? undefined : labels.indexOf(judged.positive);
      return {
        curves: classificationCurves(truth, scores, labels, positive === undefined ? {} : { positive }),
        mistakes: worstMistakes(truth, predictions, scores, labels, (example) => textOfExample(examples[example]!)),
        ...(positive !== undefined && {
          scores: labels.map((label, index) => ({
            label,
            values: Array.from(truth.keys())
              .filter((row) => truth[row] === index)
              .map((row) => scores[row * labels.length + positive]!),
          })),
        }),
      };
    },
  };
}

function arraysOf({ examples, readings, labels }: Judged<Float64Array>) {
  const truth = classIndices(examples, labels);
  const scores = new Float64Array(examples.length * labels.length);
  for (const [row, values] of readings.rows.entries()) scores.set(values, row * labels.length);
  return { truth, scores, predictions: predictedLabels(truth, scores) };
}

/** Throws LatheError('invalid-data') for a label that is not one of `labels`. */
function classIndices(
  examples: readonly Example[],
  labels: readonly string[],
  where: (example: number) => string = (example) => `example ${example + 1}`,
): Int32Array {
  const indexOf = new Map(labels.map((name, index) => [name, index]));
  return Int32Array.from(examples, ({ label }, example) => {
    const name = textOf(label) ?? '';
    const found = indexOf.get(name);
    if (found !== undefined) return found;
    throw new LatheError(
      'invalid-data',
      `${where(example)}: label ${JSON.stringify(name)} is not one of the model's (${labels.join(', ')})`,
    );
  });
}

function countsOf(truth: Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of truth) counts[label]!++;
  return counts;
}
