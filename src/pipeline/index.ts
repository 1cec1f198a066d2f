export {
  coveredText,
  type Extracted,
  type FeatureExtractor,
  loadFeatures,
  ngramFeatures,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE,
  tokenFeatures,
  VECTORIZER_FILE,
} from './features.ts';
export { type FeaturesSpec, MANIFEST_FILE, type Manifest, manifestSchema } from './manifest.ts';
export { MODEL_FILE, openPackage, type Package, type PackageContents, writePackage } from './package.ts';
export {
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  type Prediction,
  type PredictOptions,
  pipelineOver,
  softmax,
} from './text-classifier.ts';
