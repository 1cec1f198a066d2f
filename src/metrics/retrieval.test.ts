import { expect, it } from 'vitest';
import { meanReciprocalRank, retrievalAccuracy, retrievalRanks } from './retrieval.ts';

const SCORES = [
  [0.9, 0.1, 0.3, 0.2],
  [0.8, 0.5, 0.6, 0.1],
  [0.1, 0.2, 0.2, 0.2],
  [0.5, 0.6, 0.7, 0.4],
];
const ranks = (groups: number[]) => Array.from(retrievalRanks(4, (query) => SCORES[query]!, groups));

it('a rank counts what scores higher, and of what scores the same what stands before', () => {
  expect(ranks([0, 1, 2, 3])).toEqual([1, 3, 2, 4]);
});

it('candidates that are the same count once, and never against themselves', () => {
  // Candidates 0 and 2 are one, which stands before all others, and has the higher of its two scores.
  expect(ranks([0, 1, 0, 3])).toEqual([1, 2, 1, 3]);
});

it('figures of ranks, beyond k of which nothing is found', () => {
  const found = [1, 3, 2, 20];
  expect(retrievalAccuracy(found, 1).value).toBe(0.25);
  expect(retrievalAccuracy(found, 3)).toEqual({ value: 0.75, signature: 'retrieval-accuracy|k:3', warnings: [] });
  expect(meanReciprocalRank(found).value).toBeCloseTo((1 + 1 / 3 + 1 / 2) / 4, 12);
  expect(meanReciprocalRank(found, 100).value).toBeCloseTo((1 + 1 / 3 + 1 / 2 + 1 / 20) / 4, 12);
  expect(() => meanReciprocalRank([])).toThrow(/at least one query/);
});

it('scores of other candidates are refused', () => {
  expect(() => retrievalRanks(1, () => [1], [0, 1])).toThrow(/expected 2 scores, got 1/);
});

it('scores of a model that diverged are refused: nothing would rank above them', () => {
  expect(() => retrievalRanks(2, () => [Number.NaN, Number.NaN], [0, 1])).toThrow(/score 0: .* got NaN/);
});
