export { type AttachHeadOptions, attachHead } from './attach-head.ts';
export { asBufferUpdate, type BufferUpdate, bufferUpdates } from './buffers.ts';
export type { Build, ParameterSource } from './build.ts';
export {
  IMAGE_ARCHITECTURE_NAMES,
  IMAGE_ARCHITECTURES,
  type ImageArchitectureName,
} from './convolutional/image-models.ts';
export type { ImageModelOptions } from './convolutional/resnet.ts';
export { type DropoutMask, dropoutMasks, type MaskSource, maskSource } from './dropout-masks.ts';
export { type HeadOptions, replaceHead } from './head.ts';
export { type Initialization, initialize } from './initialization.ts';
export { type Activation, activation } from './layers/activation.ts';
export { type AttentionShapes, selfAttention } from './layers/attention.ts';
export { dropout } from './layers/dropout.ts';
export { embedding } from './layers/embedding.ts';
export { feedForward } from './layers/feed-forward.ts';
export { layerNorm } from './layers/layer-norm.ts';
export { linear } from './layers/linear.ts';
export { POOLINGS, type Pooling } from './layers/pooling.ts';
export { linearModel } from './linear-model.ts';
export { attachLoss, type LossNames } from './losses/attach-loss.ts';
export { binaryCrossEntropy } from './losses/binary-cross-entropy.ts';
export { type ClassRelationsOptions, classRelations } from './losses/class-relations.ts';
export { coSent } from './losses/cosent.ts';
export { type CrossEntropyOptions, crossEntropy } from './losses/cross-entropy.ts';
export { type Distillation, distillation, softBinaryCrossEntropy } from './losses/distillation.ts';
export { binaryHinge, type HingeOptions, multiclassHinge } from './losses/hinge.ts';
export { huber } from './losses/huber.ts';
export { klDivergence } from './losses/kl-divergence.ts';
export type { Loss, LossColumn, LossInputs, LossTerms } from './losses/loss.ts';
export { meanSquaredError } from './losses/mean-squared-error.ts';
export { softCrossEntropy } from './losses/soft-cross-entropy.ts';
export {
  type Adapter,
  type AdapterOptions,
  adaptableWeights,
  mergeAdapters,
  withAdapters,
} from './low-rank-adapters.ts';
export { parameter } from './parameter.ts';
export { trainingForm } from './training-form.ts';
export { ARCHITECTURES, type Architecture, type Head, type HeadStep } from './transformer/architectures.ts';
export {
  type EncoderSettings,
  encoderSettings,
  type HuggingFaceConfig,
  type ModelType,
  withDropout,
} from './transformer/config.ts';
export {
  albert,
  bert,
  distilbert,
  type EncoderOptions,
  electra,
  fromConfig,
  longestSequence,
  modelTypeOf,
  mpnet,
  roberta,
} from './transformer/encoder.ts';
export { labelFields, PRESETS, type Preset, presetConfig } from './transformer/presets.ts';
export { compareTextPairs, type TextPairOptions } from './transformer/text-pairs.ts';
