import { regressionReport } from '../../metrics/index.ts';
import { meanSquaredError } from '../../nn/index.ts';
import { type Example, TASKS } from '../../pipeline/index.ts';
import { comparedBy } from './compared-by.ts';
import { sequenceClassification } from './sequence-classification.ts';
import type { TrainableTask } from './trainable-task.ts';

export const textRegression: TrainableTask<number> = {
  task: TASKS['text-regression'],
  head: 'sequence-classification',
  config: { className: 'ForSequenceClassification', problemType: 'regression' },
  transformer: sequenceClassification,
  linearOutputs: () => 1,
  targets: (examples) => ({
    // [rows, 1], the shape of the logits.
    labels: { kind: 'fixed', values: Float32Array.from(numbersOf(examples)), dims: [1], dtype: 'float32' },
  }),
  loss: () => meanSquaredError(),
  objective: () => ({ kind: 'regression' }),
  report: ({ examples, readings }, { seed = 0 } = {}) =>
    regressionReport(numbersOf(examples), readings.rows, { task: 'text-regression', seed }),
  compare: comparedBy(({ examples, readings: { rows } }) => {
    const truth = numbersOf(examples);
    return (indices) => explained(truth, rows, indices);
  }),
  details: ({ examples, readings }) => ({
    scores: [
      { label: 'truth', values: numbersOf(examples) },
      { label: 'prediction', values: readings.rows },
    ],
  }),
};

/** R² of the examples at `indices`; NaN where their truth is constant. */
function explained(truth: readonly number[], predictions: readonly number[], indices: Int32Array): number {
  const mean = indices.reduce((sum, index) => sum + truth[index]!, 0) / indices.length;
  let errors = 0;
  let spread = 0;
  for (const index of indices) {
    errors += (truth[index]! - predictions[index]!) ** 2;
    spread += (truth[index]! - mean) ** 2;
  }
  return spread === 0 ? Number.NaN : 1 - errors / spread;
}

function numbersOf(examples: readonly Example[]): number[] {
  return examples.map(({ label }) => Number(label));
}
