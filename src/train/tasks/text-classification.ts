import { TASKS } from '../../pipeline/index.ts';
import { classificationOf } from './classification.ts';
import { sequenceClassification } from './sequence-classification.ts';
import type { TrainableTask } from './trainable-task.ts';

export const textClassification: TrainableTask<Float64Array> = {
  ...classificationOf(TASKS['text-classification']),
  head: 'sequence-classification',
  transformer: sequenceClassification,
  linearOutputs: (labels) => labels.length,
};
