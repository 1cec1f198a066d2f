import { checkLabels, checkSameLength, type Labels } from './inputs.ts';

/** What every metric over predicted labels is computed from; one element a class, in the order of `labels`. */
export interface ClassCounts {
  /** Class indices, ascending: every class that is true or predicted somewhere. */
  readonly labels: Int32Array;
  readonly truePositives: Float64Array;
  /** How often the class was predicted. */
  readonly predicted: Float64Array;
  /** How often the class is true. */
  readonly support: Float64Array;
  readonly examples: number;
}

/**
 * Counts by class. `only` restricts and orders the classes as scikit-learn's `labels` does; a class in it may be absent
 * from the examples.
 */
export function classCounts(truth: Labels, predictions: Labels, only?: readonly number[]): ClassCounts {
  const { labels, position } =
    only === undefined ? presentLabels('class counts', truth, predictions) : chosenLabels(truth, predictions, only);
  const truePositives = new Float64Array(labels.length);
  const predicted = new Float64Array(labels.length);
  const support = new Float64Array(labels.length);
  for (let index = 0; index < truth.length; index++) {
    const actual = position[truth[index]!]!;
    const guess = position[predictions[index]!]!;
    if (actual >= 0) support[actual]!++;
    if (guess >= 0) predicted[guess]!++;
    if (actual >= 0 && actual === guess) truePositives[actual]!++;
  }
  return { labels, truePositives, predicted, support, examples: truth.length };
}

/** The classes that are true or predicted somewhere, ascending, and the place of each label among them (-1: none). */
export function presentLabels(
  metric: string,
  truth: Labels,
  ...predictions: readonly Labels[]
): { labels: Int32Array; position: Int32Array } {
  const largest = Math.max(...predictions.map((side) => largestLabel(metric, truth, side)));
  const position = new Int32Array(largest + 1).fill(-1);
  for (const side of [truth, ...predictions]) {
    for (let index = 0; index < side.length; index++) position[side[index]!] = 0;
  }
  const labels: number[] = [];
  for (let label = 0; label < position.length; label++) {
    if (position[label] === 0) position[label] = labels.push(label) - 1;
  }
  return { labels: Int32Array.from(labels), position };
}

function chosenLabels(
  truth: Labels,
  predictions: Labels,
  only: readonly number[],
): { labels: Int32Array; position: Int32Array } {
  const largest = Math.max(
    largestLabel('class counts', truth, predictions),
    checkLabels('class counts', 'entry', only),
  );
  const position = new Int32Array(largest + 1).fill(-1);
  only.forEach((label, index) => {
    position[label] = index;
  });
  return { labels: Int32Array.from(only), position };
}

function largestLabel(metric: string, truth: Labels, predictions: Labels): number {
  checkSameLength(metric, truth, predictions);
  return Math.max(checkLabels(metric, 'true label', truth), checkLabels(metric, 'predicted label', predictions));
}
