import { LatheError } from '../../base/index.ts';
import type { Labels, Scores } from '../../metrics/index.ts';

export interface WorstMistake {
  /** The row in the split, from 0. */
  readonly example: number;
  readonly text: string;
  /** A small picture of it, as a data URI. */
  readonly picture?: string;
  readonly truth: string;
  readonly prediction: string;
  /** The score of the wrong prediction. */
  readonly score: number;
}

const EXCERPT = 240;

/**
 * The wrong predictions that the model was surest of, surest first; of equal scores the earlier example. Scores
 * [examples, labels] row-major; `textOf` is asked only for the examples that are shown, and cut to an excerpt.
 */
export function worstMistakes(
  truth: Labels,
  predictions: Labels,
  scores: Scores,
  labels: readonly string[],
  textOf: (example: number) => string,
  count = 20,
): WorstMistake[] {
  const classes = labels.length;
  if (scores.length !== truth.length * classes || predictions.length !== truth.length) {
    throw new LatheError(
      'shape',
      `worst mistakes: expected ${truth.length} predictions and scores [${truth.length}, ${classes}], got ${predictions.length} and ${scores.length} numbers`,
    );
  }
  const wrong: number[] = [];
  for (let row = 0; row < truth.length; row++) if (truth[row] !== predictions[row]) wrong.push(row);
  const score = (row: number): number => scores[row * classes + predictions[row]!]!;
  return wrong
    .sort((a, b) => score(b) - score(a) || a - b)
    .slice(0, count)
    .map((row) => ({
      example: row,
      text: excerpt(textOf(row)),
      truth: labels[truth[row]!]!,
      prediction: labels[predictions[row]!]!,
      score: score(row),
    }));
}

/** The beginning of a text on one line, cut between code points. */
function excerpt(text: string): string {
  const line = text
    .slice(0, 8 * EXCERPT)
    .replace(/\s+/g, ' ')
    .trim();
  const characters = [...line];
  return characters.length <= EXCERPT ? line : `${characters.slice(0, EXCERPT).join('').trimEnd()}…`;
}
