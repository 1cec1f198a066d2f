import { LatheError } from '../base/index.ts';

/** Class indices, one an example: integers from 0. */
export type Labels = Int32Array | Uint8Array | readonly number[];

/** Scores or probabilities, row-major [examples, classes]; [examples] for the scores of one class alone. */
export type Scores = Float64Array | Float32Array;

/** Real numbers, one an example. */
export type Values = Float64Array | Float32Array | readonly number[];

/** Above this a label is taken for a mistake (an id, a hash) rather than for a class index. */
const LARGEST_LABEL = 2 ** 24;

export function checkSameLength(metric: string, first: ArrayLike<unknown>, second: ArrayLike<unknown>): void {
  if (first.length !== second.length) {
    throw new LatheError(
      'shape',
      `${metric}: expected as many predictions as true values, got ${second.length} and ${first.length}`,
    );
  }
  if (first.length === 0) {
    throw new LatheError('invalid-data', `${metric}: expected at least one example, got none`);
  }
}

/** The largest label. Throws for anything that is not a class index, saying which example. */
export function checkLabels(metric: string, what: string, labels: Labels): number {
  let largest = 0;
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index]!;
    if (!(label >= 0 && label < LARGEST_LABEL && Number.isInteger(label))) {
      throw new LatheError(
        'invalid-data',
        `${metric}: ${what} of example ${index}: expected a class index (an integer from 0), got ${label}`,
      );
    }
    if (label > largest) largest = label;
  }
  return largest;
}

export function checkFinite(metric: string, what: string, values: ArrayLike<number>): void {
  for (let index = 0; index < values.length; index++) {
    if (!Number.isFinite(values[index]!)) {
      throw new LatheError(
        'invalid-data',
        `${metric}: ${what} ${index}: expected a finite number, got ${values[index]}`,
        {
          hint: 'A model whose training diverged gives such values; look at the loss of its last steps.',
        },
      );
    }
  }
}

/** How many scores each example has. Throws when scores do not fill whole rows, or hold NaN or infinity. */
export function checkScores(metric: string, truth: Labels, scores: Scores): number {
  if (truth.length === 0) {
    throw new LatheError('invalid-data', `${metric}: expected at least one example, got none`);
  }
  const classes = scores.length / truth.length;
  if (!Number.isInteger(classes) || classes < 1) {
    throw new LatheError(
      'shape',
      `${metric}: expected scores [${truth.length}, classes], got ${scores.length} numbers`,
    );
  }
  for (let index = 0; index < scores.length; index++) {
    if (!Number.isFinite(scores[index]!)) {
      const row = Math.floor(index / classes);
      throw new LatheError(
        'invalid-data',
        `${metric}: scores of example ${row}, class ${index % classes}: expected a finite number, got ${scores[index]}`,
        {
          hint: 'A model whose training diverged gives such scores; look at the loss of its last steps.',
        },
      );
    }
  }
  return classes;
}

/**
 * As {@link checkScores}, and every score must be in [0, 1]. Warns of rows that do not add up to 1 (within 1e-8 for
 * 64-bit and 1e-3 for 32-bit floats, or when there is one score a row).
 */
export function checkProbabilities(
  metric: string,
  truth: Labels,
  scores: Scores,
): { classes: number; warnings: string[] } {
  const classes = checkScores(metric, truth, scores);
  const tolerance = scores instanceof Float32Array ? 1e-3 : 1e-8;
  let unnormalized = 0;
  for (let row = 0; row < truth.length; row++) {
    let sum = 0;
    for (let column = 0; column < classes; column++) {
      const score = scores[row * classes + column]!;
      if (score < 0 || score > 1) {
        throw new LatheError(
          'invalid-data',
          `${metric}: scores of example ${row}, class ${column}: expected a probability in [0, 1], got ${score}`,
          {
            hint: 'Give the softmax (or sigmoid) of the logits.',
          },
        );
      }
      sum += score;
    }
    if (classes > 1 && Math.abs(sum - 1) > tolerance) unnormalized++;
  }
  const warnings =
    unnormalized > 0 ? [`${unnormalized} of ${truth.length} rows of probabilities do not add up to 1`] : [];
  return { classes, warnings };
}

/** Throws when a label has no column in scores [examples, classes]. One column stands for two classes. */
export function checkColumns(metric: string, truth: Labels, classes: number): void {
  const largest = checkLabels(metric, 'true label', truth);
  const known = classes === 1 ? 2 : classes;
  if (largest >= known) {
    throw new LatheError(
      'shape',
      `${metric}: expected true labels below ${known} (scores are [${truth.length}, ${classes}]), got ${largest}`,
    );
  }
}
