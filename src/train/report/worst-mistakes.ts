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
  const wrong: Omit<WorstMistake, 'text'>[] = [];
  for (let row = 0; row < truth.length; row++) {
    const [right, predicted] = [truth[row]!, predictions[row]!];
    if (right === predicted) continue;
    const score = scores[row * classes + predicted]!;
    wrong.push({ example: row, truth: labels[right]!, prediction: labels[predicted]!, score });
  }
  return surestOf(wrong, textOf, count);
}

/** Of any mistakes those that the model was surest of, in that order, with an excerpt of their texts. */
export function surestOf(
  mistakes: readonly Omit<WorstMistake, 'text'>[],
  textOf: (example: number) => string,
  count = 20,
): WorstMistake[] {
  return [...mistakes]
    .sort((a, b) => b.score - a.score || a.example - b.example)
    .slice(0, count)
    .map((mistake) => ({ ...mistake, text: excerpt(textOf(mistake.example)) }));
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
