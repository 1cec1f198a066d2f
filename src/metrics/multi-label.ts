import { LatheError } from '../base/index.ts';
import type { ClassCounts } from './class-counts.ts';
import { type Measurement, measurement } from './measurement.ts';
import { type ClassificationScores, precisionRecallF1Of } from './precision-recall-f1.ts';

/** 0 or 1 for every label of every example, row-major [examples, labels]. */
export type LabelSets = Uint8Array | Int32Array | readonly number[];

/** Precision, recall and F1 where an example has any number of labels, by label and averaged over labels. */
export function multiLabelPrecisionRecallF1(
  truth: LabelSets,
  predictions: LabelSets,
  labelCount: number,
): ClassificationScores {
  const examples = check('multi-label F1', truth, predictions, labelCount);
  const counts: ClassCounts = {
    labels: Int32Array.from({ length: labelCount }, (_, label) => label),
    truePositives: new Float64Array(labelCount),
    predicted: new Float64Array(labelCount),
    support: new Float64Array(labelCount),
    examples,
  };
  for (let index = 0; index < truth.length; index++) {
    const label = index % labelCount;
    counts.truePositives[label]! += truth[index]! * predictions[index]!;
    counts.predicted[label]! += predictions[index]!;
    counts.support[label]! += truth[index]!;
  }
  return precisionRecallF1Of(counts);
}

/** The share of examples whose whole set of labels is right. */
export function subsetAccuracy(truth: LabelSets, predictions: LabelSets, labelCount: number): Measurement {
  const examples = check('subset accuracy', truth, predictions, labelCount);
  let right = 0;
  for (let row = 0; row < examples; row++) {
    let column = 0;
    while (column < labelCount && truth[row * labelCount + column] === predictions[row * labelCount + column]) column++;
    if (column === labelCount) right++;
  }
  return measurement('subset_accuracy', {}, right / examples);
}

/** The share of wrong entries among all labels of all examples. */
export function hammingLoss(truth: LabelSets, predictions: LabelSets, labelCount: number): Measurement {
  check('hamming loss', truth, predictions, labelCount);
  let wrong = 0;
  for (let index = 0; index < truth.length; index++) if (truth[index] !== predictions[index]) wrong++;
  return measurement('hamming_loss', {}, wrong / truth.length);
}

function check(metric: string, truth: LabelSets, predictions: LabelSets, labelCount: number): number {
  const examples = truth.length / labelCount;
  if (!Number.isInteger(labelCount) || labelCount < 1 || !Number.isInteger(examples)) {
    throw new LatheError('shape', `${metric}: expected [examples, ${labelCount}] entries, got ${truth.length}`);
  }
  if (predictions.length !== truth.length) {
    throw new LatheError(
      'shape',
      `${metric}: expected as many predictions as true values, got ${predictions.length} and ${truth.length}`,
    );
  }
  if (examples === 0) throw new LatheError('invalid-data', `${metric}: expected at least one example, got none`);
  for (const [what, entries] of [
    ['true', truth],
    ['predicted', predictions],
  ] as const) {
    for (let index = 0; index < entries.length; index++) {
      if (entries[index] !== 0 && entries[index] !== 1) {
        const row = Math.floor(index / labelCount);
        throw new LatheError(
          'invalid-data',
          `${metric}: ${what} label ${index % labelCount} of example ${row}: expected 0 or 1, got ${entries[index]}`,
        );
      }
    }
  }
  return examples;
}
