export { AUGMENTATION_NAMES, AUGMENTATIONS, type Augmentation, type AugmentationName } from './augment.ts';
export {
  type DecodeImageOptions,
  decodeImage,
  IMAGE_EXTENSIONS,
  IMAGE_FORMATS,
  type ImageFacts,
  imageFacts,
} from './decode.ts';
export { openPixelFile, type PixelFile, pixelStore } from './pixel-file.ts';
export {
  type ImagePreprocessing,
  imagePreprocessing,
  normalizePixels,
  type PreprocessorConfig,
} from './preprocessing.ts';
export { centerCrop, type RawImage, withChannels } from './raw-image.ts';
export { type Resample, resize } from './resize.ts';
export { thumbnail } from './thumbnail.ts';
