import { featureExtraction } from './feature-extraction.ts';
import { fillMask } from './fill-mask.ts';
import { imageClassification } from './image-classification.ts';
import { multiLabelClassification } from './multi-label-classification.ts';
import { questionAnswering } from './question-answering.ts';
import { sentenceSimilarity } from './sentence-similarity.ts';
import type { Task } from './task.ts';
import { textClassification } from './text-classification.ts';
import { textRegression } from './text-regression.ts';
import { tokenClassification } from './token-classification.ts';

/** Everything that a model can be for, by name. */
export const TASKS = {
  'text-classification': textClassification,
  'multi-label-classification': multiLabelClassification,
  'text-regression': textRegression,
  'token-classification': tokenClassification,
  'question-answering': questionAnswering,
  'fill-mask': fillMask,
  'image-classification': imageClassification,
  'feature-extraction': featureExtraction,
  'sentence-similarity': sentenceSimilarity,
} as const satisfies Readonly<Record<string, Task>>;

export type TaskName = keyof typeof TASKS;
export const TASK_NAMES = Object.keys(TASKS) as readonly TaskName[];

type Records = typeof TASKS;
export type ReadingOf<Name extends TaskName> = Records[Name] extends Task<infer Reading, infer _> ? Reading : never;
export type AnswerOf<Name extends TaskName> = Records[Name] extends Task<infer _, infer Answer> ? Answer : never;
