import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { type EncodedWindow, windowsOf } from '../../data/index.ts';
import { coveredText, type FeatureExtractor } from '../features.ts';
import { softmax } from '../scores.ts';
import { datasetOf, type EncodedExamples, type RowOutput, type Task, type TextExample, tokensOf } from './task.ts';

export interface AnswerInText {
  /** Empty where the text has no answer. */
  readonly answer: string;
  /** Among the candidates, 0 to 1. */
  readonly score: number;
  /** Places in the second text, in UTF-16 units: `text.slice(start, end)`; both 0 where there is no answer. */
  readonly start: number;
  readonly end: number;
}

export interface QuestionAnswering extends AnswerInText {
  /** Likeliest first. */
  readonly candidates: readonly AnswerInText[];
}

/** The likeliest answers of a window, and how likely it is that the window has none. Scores are sums of two logits. */
export interface WindowAnswers {
  readonly spans: readonly { readonly start: number; readonly end: number; readonly score: number }[];
  readonly none: number;
}

/** The part of a question that is read, where it is longer: the rest is the text's. */
const QUESTION_SHARE = 0.5;

const settings = z.strictObject({
  /** Tokens that windows of a long text have in common. */
  overlap: z.int().min(0).default(128),
  /** Starts and ends that are looked at in each window, and answers that are given. */
  candidates: z.int().min(1).max(100).default(20),
  /** Tokens of an answer at most. */
  maxAnswerTokens: z.int().min(1).default(30),
  /** Whether it may say that there is no answer. */
  mayDecline: z.boolean().default(true),
  /** By how much "no answer" must be likelier than the best answer, in logits. */
  threshold: z.number().default(0),
});

export interface QuestionWindows extends EncodedExamples {
  /** By row; the second text is that of the answer. */
  readonly windows: readonly EncodedWindow[];
  readonly exampleOf: Int32Array;
}

/** The answer to a question, as a part of a text that is given with it. */
export const questionAnswering: Task<WindowAnswers, QuestionAnswering, TextExample> = {
  name: 'question-answering',
  tag: 'question-answering',
  summary: 'answer questions with a part of a text',
  columns: { text: 'question', textPair: 'context', label: 'answers' },
  target: 'answers',
  outputs: ['start_logits', 'end_logits'],
  scores: 'none',
  settings,
  encode: (features, examples, { settings: given }) =>
    encodeQuestions(features, examples, settings.parse(given).overlap),
  read([starts, ends], index, { encoded, settings: given }) {
    const { candidates, maxAnswerTokens } = settings.parse(given);
    const window = (encoded as QuestionWindows).windows[index]!;
    return answersOfWindow(starts!, ends!, window, candidates, maxAnswerTokens);
  },
  answer(readings, { textPair = '' }, { settings: given }) {
    const { candidates, mayDecline, threshold } = settings.parse(given);
    const best = new Map<string, { readonly start: number; readonly end: number; readonly score: number }>();
    for (const span of readings.flatMap(({ spans }) => spans)) {
      const key = `${span.start} ${span.end}`;
      if (span.score > (best.get(key)?.score ?? Number.NEGATIVE_INFINITY)) best.set(key, span);
    }
    const spans = [...best.values()].sort((one, other) => other.score - one.score || one.start - other.start);
    const kept = spans.slice(0, candidates);
    const none = Math.min(...readings.map(({ none: score }) => score));
    const declines = kept.length === 0 || (mayDecline && none - kept[0]!.score > threshold);
    const listed = mayDecline || kept.length === 0 ? [...kept, { start: 0, end: 0, score: none }] : kept;
    const scores = softmax(
      listed.map(({ score }) => score),
      listed.length,
    );
    const answers = listed.map(
      ({ start, end }, at): AnswerInText => ({ answer: textPair.slice(start, end), score: scores[at]!, start, end }),
    );
    const chosen = declines ? answers.at(-1)! : answers[0]!;
    return { ...chosen, candidates: answers.sort((one, other) => other.score - one.score) };
  },
  answerSchema: z.strictObject({
    ...answerShape(),
    candidates: z.array(z.strictObject(answerShape())),
  }),
  line: ({ answer, score }) => `${answer === '' ? '–' : answer.replace(/\s+/g, ' ')}\t${score.toFixed(4)}`,
};

function answerShape() {
  return { answer: z.string(), score: z.number(), start: z.int(), end: z.int() };
}

/** Questions with their texts, in windows over long texts. */
function encodeQuestions(
  features: FeatureExtractor,
  examples: readonly TextExample[],
  overlap: number,
): QuestionWindows {
  const { tokenizer, spec } = tokensOf(features, 'question-answering');
  const windows: EncodedWindow[] = [];
  const owners: number[] = [];
  let cutQuestions = 0;
  for (const [at, { text, textPair }] of examples.entries()) {
    const whole = typeof text === 'string' ? text : text.join(' ');
    if (textPair === undefined) {
      throw new LatheError('usage', `question-answering: "${whole.slice(0, 40)}" has no text to find the answer in`, {
        hint: 'Give the text as the second one (--text-pair).',
      });
    }
    const question = coveredText(tokenizer, whole, Math.floor(spec.maxLength * QUESTION_SHARE));
    if (question.length < whole.length) cutQuestions++;
    const encoding = tokenizer.encode(question, { pair: textPair });
    const length = encoding.texts.reduce((sum, which) => sum + (which === 1 ? 1 : 0), 0);
    const room = spec.maxLength - (encoding.ids.length - length);
    const cut = { maxLength: spec.maxLength, over: 1 as const, overlap: Math.min(overlap, Math.floor(room / 2)) };
    for (const window of windowsOf(encoding, cut)) {
      windows.push(window);
      owners.push(at);
    }
  }
  return {
    dataset: datasetOf(windows, features),
    truncated: cutQuestions,
    windows,
    exampleOf: Int32Array.from(owners),
  };
}

/**
 * The likeliest spans of a window as Hugging Face's examples for SQuAD find them: of the likeliest starts and ends those that
 * stand in the text, in order and not too far apart. The first token stands for "no answer".
 */
function answersOfWindow(
  { data: starts }: RowOutput,
  { data: ends }: RowOutput,
  { start, end, offsets }: EncodedWindow,
  candidates: number,
  maxAnswerTokens: number,
): WindowAnswers {
  const spans: { start: number; end: number; score: number }[] = [];
  const likelyEnds = likeliest(ends, start, end, candidates);
  for (const first of likeliest(starts, start, end, candidates)) {
    for (const last of likelyEnds) {
      if (last < first || last - first + 1 > maxAnswerTokens) continue;
      const place = { start: offsets[first * 2]!, end: offsets[last * 2 + 1]! };
      if (place.end > place.start) spans.push({ ...place, score: starts[first]! + ends[last]! });
    }
  }
  spans.sort((one, other) => other.score - one.score);
  return { spans: spans.slice(0, candidates), none: starts[0]! + ends[0]! };
}

/** The places in [from, to) with the highest logits, highest first. */
function likeliest(logits: Float32Array, from: number, to: number, count: number): number[] {
  const places = Array.from({ length: to - from }, (_, index) => from + index);
  return places.sort((one, other) => logits[other]! - logits[one]! || one - other).slice(0, count);
}
