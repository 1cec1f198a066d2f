import { LatheError } from '../../base/index.ts';
import type { Answers } from '../../data/index.ts';
import { extendModel, GraphBuilder, int, type Model } from '../../graph/index.ts';
import { type AnsweredQuestion, answerReport, answerScores } from '../../metrics/index.ts';
import { crossEntropy, fromConfig } from '../../nn/index.ts';
import {
  type QuestionAnswering,
  type QuestionWindows,
  TASKS,
  type Task,
  type TextExample,
  type WindowAnswers,
} from '../../pipeline/index.ts';
import { surestOf, type WorstMistake } from '../report/index.ts';
import { comparedBy } from './compared-by.ts';
import { type Judged, type TrainableTask, textOfExample } from './trainable-task.ts';

/** The starts and the ends of answers side by side, [batch, 2, tokens]: what the loss reads. */
const LOGITS = 'answer_logits';
const TASK = TASKS['question-answering'] as unknown as Task<WindowAnswers, QuestionAnswering>;

export const questionAnswering: TrainableTask<WindowAnswers, QuestionAnswering> = {
  task: TASK,
  head: 'question-answering',
  config: { className: 'ForQuestionAnswering' },
  predictions: LOGITS,
  // A model that was never taught to decline does not.
  settings: (examples) => ({ mayDecline: examples.some((example) => answersOf(example as TextExample).length === 0) }),
  transformer(config, options) {
    const model = fromConfig(config, { ...options, head: 'question-answering' });
    return {
      model,
      trainingForm: withAnswerLogits(fromConfig(config, { ...options, head: 'question-answering', form: 'training' })),
      validationForm: withAnswerLogits(model),
    };
  },
  targets(examples, encoded) {
    const { windows, exampleOf } = encoded as QuestionWindows;
    const values = new Int32Array(windows.length * 2);
    for (const [row, window] of windows.entries()) {
      values.set(answerIn(window, examples[exampleOf[row]!] as TextExample), row * 2);
    }
    return { labels: { kind: 'fixed', values, dims: [2], dtype: 'int64' } };
  },
  loss({ labelSmoothing, classWeights }) {
    if (classWeights !== 'none') {
      throw new LatheError('usage', '--class-weights: question-answering has no classes to weigh');
    }
    return crossEntropy({ labelSmoothing });
  },
  objective: () => ({ kind: 'answers', maxAnswerTokens: 30 }),
  report: (judged, { seed = 0 } = {}) => answerReport(questionsOf(judged), { task: 'question-answering', seed }),
  compare: comparedBy((judged) => {
    const scores = questionsOf(judged).map((question) => answerScores(question).f1);
    return (indices) => indices.reduce((sum, index) => sum + scores[index]!, 0) / indices.length;
  }),
  details: (judged) => ({ mistakes: worstAnswers(judged) }),
};

/** The form that the loss reads: `answer_logits` in place of starts and ends. */
function withAnswerLogits(model: Model): Model {
  const { graph } = model;
  const more = new GraphBuilder({ extending: graph });
  const rows = ['start_logits', 'end_logits'].map((name) => more.unsqueeze(name, [1])); // [batch, 1, tokens]
  more.node('Concat', rows, { attributes: { axis: int(1) }, outputs: [LOGITS] });
  const [starts] = graph.outputs;
  if (starts?.type?.kind !== 'tensor') throw new LatheError('internal', 'start_logits should be a tensor');
  const [batch, tokens] = starts.type.shape ?? [];
  return extendModel(model, more, {
    outputs: [{ name: LOGITS, type: { ...starts.type, shape: [batch!, 2, tokens!] } }],
  });
}

/** The first and the last token of the (first) answer; the first token of the window, twice, where it is not whole in it. */
function answerIn(
  { start, end, offsets }: QuestionWindows['windows'][number],
  example: TextExample,
): readonly [number, number] {
  const [answer] = answersOf(example);
  if (answer === undefined || start === end) return [0, 0];
  const [from, to] = [answer.start, answer.start + answer.text.length];
  if (from < offsets[start * 2]! || to > offsets[end * 2 - 1]!) return [0, 0];
  let first = start;
  while (first < end - 1 && offsets[first * 2 + 1]! <= from) first++;
  let last = end - 1;
  while (last > first && offsets[last * 2]! >= to) last--;
  return [first, last];
}

function answersOf({ label }: TextExample): readonly { readonly text: string; readonly start: number }[] {
  const { text, answer_start: starts } = label as unknown as Answers;
  return text.map((answer, at) => ({ text: answer, start: starts[at]! })).filter((answer) => answer.text !== '');
}

function questionsOf(judged: Judged<WindowAnswers>): readonly AnsweredQuestion[] {
  const answers = judged.answers!() as readonly QuestionAnswering[];
  return judged.examples.map((example, at) => ({
    prediction: answers[at]!.answer,
    answers: answersOf(example as TextExample).map(({ text }) => text),
  }));
}

/** The wrong answers that the model was surest of. */
function worstAnswers(judged: Judged<WindowAnswers>): WorstMistake[] {
  const answers = judged.answers!() as readonly QuestionAnswering[];
  const mistakes: Omit<WorstMistake, 'text'>[] = [];
  for (const [at, question] of questionsOf(judged).entries()) {
    if (answerScores(question).exactMatch === 1) continue;
    const found = answers[at]!;
    mistakes.push({
      example: at,
      truth: question.answers[0] ?? '–',
      prediction: found.answer === '' ? '–' : found.answer,
      score: found.score,
    });
  }
  return surestOf(mistakes, (example) => textOfExample(judged.examples[example]!));
}
