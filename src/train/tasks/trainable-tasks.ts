import type { TaskName } from '../../pipeline/index.ts';
import { featureExtraction } from './feature-extraction.ts';
import { fillMask } from './fill-mask.ts';
import { imageClassification } from './image-classification.ts';
import { multiLabelClassification } from './multi-label-classification.ts';
import { questionAnswering } from './question-answering.ts';
import { sentenceSimilarity } from './sentence-similarity.ts';
import { textClassification } from './text-classification.ts';
import { textRegression } from './text-regression.ts';
import { tokenClassification } from './token-classification.ts';
import type { TrainableTask } from './trainable-task.ts';

/** Everything that a model can be trained for, by name. */
export const TRAINABLE_TASKS: Readonly<Record<TaskName, TrainableTask>> = {
  'text-classification': textClassification,
  'multi-label-classification': multiLabelClassification,
  'text-regression': textRegression,
  'token-classification': tokenClassification,
  'question-answering': questionAnswering,
  'fill-mask': fillMask,
  'image-classification': imageClassification,
  'feature-extraction': featureExtraction,
  'sentence-similarity': sentenceSimilarity,
};
