import type { Tensor } from '../../base/index.ts';
import type { TensorDataset } from '../tensor-dataset.ts';
import { type AugmentImages, augmentImages } from './augment-images.ts';
import { type MaskTokens, maskTokens } from './mask-tokens.ts';
import { type MixImages, mixImages } from './mix-images.ts';
import { type StackPairs, stackPairs } from './stack-pairs.ts';

/** Where a batch is from: with these, what a step does at random can be repeated. */
export interface BatchContext {
  /** The rows of the batch. */
  readonly indices: ArrayLike<number>;
  /** Counted from 0; −1 for validation, which does the same to a row every time. */
  readonly epoch: number;
  readonly seed: number;
  /** What the rows are of, for steps that begin with what is stored. */
  readonly dataset?: TensorDataset;
}

/** What is done to a batch before a model sees it, each time anew: plain data, for the training process. */
export type BatchStep = MaskTokens | StackPairs | AugmentImages | MixImages;

type Run<Step> = (
  batch: Readonly<Record<string, Tensor>>,
  step: Step,
  context: BatchContext,
) => Readonly<Record<string, Tensor>>;

const STEPS: { readonly [Kind in BatchStep['kind']]: Run<Extract<BatchStep, { readonly kind: Kind }>> } = {
  'mask-tokens': maskTokens,
  'stack-pairs': stackPairs,
  'augment-images': augmentImages,
  'mix-images': mixImages,
};

/** Runs the steps in their order; the batch stays as it is. */
export function runBatchSteps(
  batch: Readonly<Record<string, Tensor>>,
  steps: readonly BatchStep[],
  context: BatchContext,
): Readonly<Record<string, Tensor>> {
  return steps.reduce((current, step) => (STEPS[step.kind] as Run<BatchStep>)(current, step, context), batch);
}
