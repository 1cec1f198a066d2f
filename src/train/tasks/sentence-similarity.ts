import { bootstrapIntervals, pearson, spearman, take } from '../../metrics/index.ts';
import { coSent } from '../../nn/index.ts';
import { cosine, type Example, TASKS } from '../../pipeline/index.ts';
import { comparedBy } from './compared-by.ts';
import { encodePairs, sentenceTransformersFiles, stackedPairs, textPairForms } from './text-pairs.ts';
import type { Judged, TrainableTask } from './trainable-task.ts';

/** Learns that pairs with a larger number are nearer than those with a smaller one. */
export const sentenceSimilarity: TrainableTask<Float64Array> = {
  task: TASKS['sentence-similarity'],
  head: 'none',
  config: { className: 'Model' },
  transformer: textPairForms('own'),
  files: sentenceTransformersFiles,
  encode: encodePairs,
  batchSteps: stackedPairs('given'),
  targets: (examples) => ({
    labels: { kind: 'fixed', values: Float32Array.from(numbersOf(examples)), dims: [], dtype: 'float32' },
  }),
  loss: () => coSent(),
  objective: () => ({ kind: 'similarity' }),
  report(judged, { seed = 0 } = {}) {
    const truth = numbersOf(judged.examples);
    const similarities = similaritiesOf(judged);
    const measured = { spearman: spearman(truth, similarities), pearson: pearson(truth, similarities) };
    const defined = Object.entries(measured).filter(([, { value }]) => Number.isFinite(value));
    const { spearman: interval } = bootstrapIntervals(
      truth.length,
      ['spearman'],
      (indices) => ({ spearman: spearman(take(truth, indices), take(similarities, indices)).value }),
      { seed },
    );
    return {
      task: 'sentence-similarity',
      examples: truth.length,
      headline: 'spearman',
      metrics: Object.fromEntries(defined.map(([name, { value }]) => [name, value])),
      intervals: { spearman: { low: interval.low, high: interval.high } },
      confidence: 0.95,
      signatures: Object.fromEntries(defined.map(([name, { signature }]) => [name, signature])),
      warnings: [...new Set(Object.values(measured).flatMap(({ warnings }) => warnings))],
    };
  },
  compare: comparedBy((judged) => {
    const truth = numbersOf(judged.examples);
    const similarities = similaritiesOf(judged);
    return (indices) => spearman(take(truth, indices), take(similarities, indices)).value;
  }),
  details: (judged) => ({
    scores: [
      { label: 'truth', values: Array.from(numbersOf(judged.examples)) },
      { label: 'cosine', values: Array.from(similaritiesOf(judged)) },
    ],
  }),
};

/** The cosine of each pair: readings are the vectors of first and second texts in turn. */
function similaritiesOf({ examples, readings: { rows } }: Judged<Float64Array>): Float64Array {
  return Float64Array.from(examples, (_, example) => cosine(rows[2 * example]!, rows[2 * example + 1]!));
}

function numbersOf(examples: readonly Example[]): Float64Array {
  return Float64Array.from(examples, ({ label }) => Number(label));
}
