import { fromConfig } from '../../nn/index.ts';
import type { TrainableTask } from './trainable-task.ts';

/** The graphs of tasks whose transformer answers from its first token. */
export const sequenceClassification: TrainableTask['transformer'] = (config, options) => ({
  model: fromConfig(config, { ...options, everyRow: false }),
  trainingForm: fromConfig(config, { ...options, form: 'training' }),
});
