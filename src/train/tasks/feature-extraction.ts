import { bootstrapIntervals, meanReciprocalRank, retrievalAccuracy, retrievalRanks } from '../../metrics/index.ts';
import { crossEntropy } from '../../nn/index.ts';
import { TASKS, type TextExample } from '../../pipeline/index.ts';
import { comparedBy } from './compared-by.ts';
import { encodePairs, sentenceTransformersFiles, stackedPairs, textPairForms } from './text-pairs.ts';
import type { Judged, TrainableTask } from './trainable-task.ts';

/** Ranks beyond this count as not found. */
const FOUND = 10;

/**
 * Learns to find the second text of each pair among those of the batch: cross entropy over scaled cosines
 * (MultipleNegativesRanking; Henderson et al., 2017).
 */
export const featureExtraction: TrainableTask<Float64Array> = {
  task: TASKS['feature-extraction'],
  head: 'none',
  config: { className: 'Model' },
  transformer: textPairForms('all'),
  files: sentenceTransformersFiles,
  encode: encodePairs,
  batchSteps: stackedPairs('places'),
  targets: () => ({}),
  loss: () => crossEntropy(),
  objective: () => ({ kind: 'loss' }),
  report(judged, { seed = 0 } = {}) {
    const ranks = ranksOf(judged);
    const measured = {
      meanReciprocalRank: meanReciprocalRank(ranks, FOUND),
      accuracyAt1: retrievalAccuracy(ranks, 1),
      accuracyAt3: retrievalAccuracy(ranks, 3),
      accuracyAt10: retrievalAccuracy(ranks, 10),
    };
    const { meanReciprocalRank: interval } = bootstrapIntervals(
      ranks.length,
      ['meanReciprocalRank'],
      (indices) => ({ meanReciprocalRank: meanAt(ranks, indices) }),
      { seed },
    );
    const entries = Object.entries(measured);
    return {
      task: 'feature-extraction',
      examples: judged.examples.length,
      headline: 'meanReciprocalRank',
      metrics: {
        ...Object.fromEntries(entries.map(([name, { value }]) => [name, value])),
        candidates: new Set(judged.examples.map((example) => (example as TextExample).textPair)).size,
      },
      intervals: { meanReciprocalRank: { low: interval.low, high: interval.high } },
      confidence: 0.95,
      signatures: Object.fromEntries(entries.map(([name, { signature }]) => [name, signature])),
      warnings: [],
    };
  },
  compare: comparedBy((judged) => {
    const ranks = ranksOf(judged);
    return (indices) => meanAt(ranks, indices);
  }),
};

/** Where each first text finds its second one, among the second texts of all examples. */
function ranksOf({ examples, readings }: Judged<Float64Array>): Int32Array {
  const units = readings.rows.map(unit);
  const groups = new Map<string, number>();
  const groupOf = Int32Array.from(examples, (example) => {
    const text = (example as TextExample).textPair ?? '';
    if (!groups.has(text)) groups.set(text, groups.size);
    return groups.get(text)!;
  });
  const scores = new Float64Array(examples.length);
  return retrievalRanks(
    examples.length,
    (query) => {
      const vector = units[2 * query]!;
      for (let candidate = 0; candidate < scores.length; candidate++) {
        const other = units[2 * candidate + 1]!;
        let product = 0;
        for (let at = 0; at < vector.length; at++) product += vector[at]! * other[at]!;
        scores[candidate] = product;
      }
      return scores;
    },
    groupOf,
  );
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}

function meanAt(ranks: Int32Array, indices: Int32Array): number {
  return meanReciprocalRank(
    indices.map((index) => ranks[index]!),
    FOUND,
  ).value;
}
