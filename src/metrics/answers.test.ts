import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { answerReport, answerScores, normalizedAnswer } from './answers.ts';

type Row = readonly [guess: string, answers: readonly string[], normalized: string, exactMatch: number, f1: number];
const rows = JSON.parse(readFileSync(new URL('fixtures/squad.json', import.meta.url), 'utf8')) as readonly Row[];

it.each(rows)("%j beside %j is scored by SQuAD's rules", (prediction, answers, normalized, exactMatch, f1) => {
  expect(normalizedAnswer(prediction)).toBe(normalized);
  const scores = answerScores({ prediction, answers });
  expect(scores.exactMatch).toBe(exactMatch);
  expect(scores.f1).toBeCloseTo(f1, 12);
});

it('reports questions without an answer apart', () => {
  const questions = rows.map(([prediction, answers]) => ({ prediction, answers }));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const { metrics, intervals } = answerReport(questions, { task: 'question-answering' });
  expect(metrics.exactMatch).toBeCloseTo(mean(rows.map((row) => row[3])), 12);
  expect(metrics.f1).toBeCloseTo(mean(rows.map((row) => row[4])), 12);
  const none = rows.filter(([, answers]) => answers.every((answer) => normalizedAnswer(answer) === ''));
  expect(metrics.noAnswerAccuracy).toBeCloseTo(mean(none.map((row) => row[3])), 12);
  expect(intervals!.f1!.low).toBeLessThan(metrics.f1!);
  const { metrics: answered } = answerReport([{ prediction: 'x', answers: ['x y'] }], { task: 'question-answering' });
  expect(Object.keys(answered)).toEqual(['exactMatch', 'f1']);
});
