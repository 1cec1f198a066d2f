import type { ErrorCode } from '../base/index.ts';
import type { TrainEvent } from './events.ts';
import type { LoopJob } from './loop.ts';

/** What the training process finds in its folder: models and data as files, the rest as JSON. */
export const JOB_FILES = {
  description: 'job.json',
  training: 'training.onnx',
  inference: 'inference.onnx',
  train: 'train.bin',
  validation: 'validation.bin',
} as const;

export type JobDescription = Omit<LoopJob, 'training' | 'inference' | 'train' | 'validation'>;

export type ProcessMessage =
  | { readonly kind: 'event'; readonly event: TrainEvent }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };
