import { bootstrapIntervals } from './bootstrap.ts';
import { signature } from './measurement.ts';
import type { TaskReport } from './task-report.ts';

/** What an answer was and might have been. */
export interface AnsweredQuestion {
  /** Empty where the model says that there is no answer. */
  readonly prediction: string;
  /** Answers that are right; none where there is none. */
  readonly answers: readonly string[];
}

/**
 * An answer as SQuAD's evaluation compares it: in small letters, without ASCII punctuation and the English articles, white
 * space made single spaces (Rajpurkar et al., 2018).
 */
export function normalizedAnswer(answer: string): string {
  return (
    answer
      .toLowerCase()
      .replace(/[!-/:-@[-`{-~]/g, '')
      .replace(/(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu, ' ')
      // What Python's split() takes for white space.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: separators of files and records among them.
      .split(/[\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/)
      .filter((word) => word !== '')
      .join(' ')
  );
}

/** Exact match (0 or 1) and F1 of words (0 to 1), each with the answer that it is the highest for. */
export function answerScores({ prediction, answers }: AnsweredQuestion): {
  readonly exactMatch: number;
  readonly f1: number;
} {
  const said = normalizedAnswer(prediction);
  const kept = answers.map(normalizedAnswer).filter((answer) => answer !== '');
  const right = kept.length === 0 ? [''] : kept;
  return {
    exactMatch: right.includes(said) ? 1 : 0,
    f1: right.reduce((best, answer) => Math.max(best, wordF1(answer, said)), 0),
  };
}

/** F1 of the words of normalized answers, each as often as it stands there; of an empty one whether both are. */
function wordF1(answer: string, said: string): number {
  if (answer === '' || said === '') return answer === said ? 1 : 0;
  const [gold, words] = [answer.split(' '), said.split(' ')];
  const left = new Map<string, number>();
  for (const word of gold) left.set(word, (left.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of words) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    same++;
  }
  return same === 0
    ? 0
    : (2 * (same / words.length) * (same / gold.length)) / (same / words.length + same / gold.length);
}

/**
 * Exact match and F1 of answers, 0 to 1 (SQuAD's script prints percent); where questions without an answer are among them,
 * also apart.
 */
export function answerReport(
  questions: readonly AnsweredQuestion[],
  options: {
    readonly task: string;
    readonly seed?: number;
    /** Default 1,000; 0 leaves the intervals out. */
    readonly resamples?: number;
    /** Default 0.95. */
    readonly confidence?: number;
  },
): TaskReport {
  const { task, seed = 0, resamples = 1000, confidence = 0.95 } = options;
  const scores = questions.map(answerScores);
  const mean = (name: 'exactMatch' | 'f1', of: readonly number[]): number =>
    of.reduce((sum, index) => sum + scores[index]![name], 0) / of.length;
  const all = [...questions.keys()];
  const answered = all.filter((index) => questions[index]!.answers.some((answer) => normalizedAnswer(answer) !== ''));
  const unanswerable = all.filter((index) => !answered.includes(index));
  const apart = unanswerable.length > 0 && answered.length > 0;
  const drawn = (indices: Int32Array) => ({ exactMatch: meanOf(indices, 'exactMatch'), f1: meanOf(indices, 'f1') });
  const meanOf = (indices: Int32Array, name: 'exactMatch' | 'f1'): number => {
    let sum = 0;
    for (const index of indices) sum += scores[index]![name];
    return sum / indices.length;
  };
  const intervals =
    resamples === 0
      ? undefined
      : bootstrapIntervals(questions.length, ['exactMatch', 'f1'], drawn, { seed, resamples, confidence });
  return {
    task,
    examples: questions.length,
    headline: 'f1',
    metrics: {
      exactMatch: mean('exactMatch', all),
      f1: mean('f1', all),
      ...(apart && {
        answeredExactMatch: mean('exactMatch', answered),
        answeredF1: mean('f1', answered),
        noAnswerAccuracy: mean('exactMatch', unanswerable),
      }),
    },
    ...(intervals !== undefined && {
      intervals: Object.fromEntries(Object.entries(intervals).map(([name, { low, high }]) => [name, { low, high }])),
      confidence,
    }),
    signatures: {
      exactMatch: signature('exact_match', { rules: 'squad2' }),
      f1: signature('answer_f1', { rules: 'squad2' }),
      ...(intervals !== undefined && { intervals: intervals.f1.signature }),
    },
    warnings: [],
  };
}
