export { type DropoutMask, dropoutMasks, type MaskSource, maskSource } from './dropout-masks.ts';
export { attachLoss, type LossNames } from './losses/attach-loss.ts';
export { type CrossEntropyOptions, crossEntropy } from './losses/cross-entropy.ts';
export type { Loss, LossInputs, LossTerms } from './losses/loss.ts';
export { type EncoderSettings, encoderSettings, type HuggingFaceConfig, type ModelType } from './transformer/config.ts';
export { bert, distilbert, type EncoderOptions, fromConfig, roberta } from './transformer/encoder.ts';
