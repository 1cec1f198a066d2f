export {
  type DerivedContents,
  type NewVariant,
  originOf,
  VARIANT_FILES,
  type VariantName,
  writeDerivedPackage,
} from './derived-package.ts';
export {
  coveredText,
  type Extracted,
  type FeatureExtractor,
  loadFeatures,
  ngramFeatures,
  type TextFeatures,
  type TextOrPair,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE,
  tokenFeatures,
  VECTORIZER_FILE,
} from './features.ts';
export {
  fileOfImage,
  type ImageFeatures,
  type ImageFile,
  type ImageInput,
  imageFeatures,
  PREPROCESSOR_FILE,
} from './image-features.ts';
export {
  type FeaturesSpec,
  type Lineage,
  MANIFEST_FILE,
  type Manifest,
  manifestSchema,
  type Origin,
  type StepRecord,
} from './manifest.ts';
export {
  MODEL_FILE,
  openPackage,
  type Package,
  type PackageContents,
  refuseOtherFolder,
  writePackage,
} from './package.ts';
export {
  type Input,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  type PredictOptions,
  pipelineOver,
  type Readings,
} from './pipeline.ts';
export { sigmoid, softmax } from './scores.ts';
export { cosine, type Embedding } from './tasks/embedding.ts';
export { encodeInWindows } from './tasks/fill-mask.ts';
export type { AnswerInText, QuestionAnswering, QuestionWindows, WindowAnswers } from './tasks/question-answering.ts';
export {
  type EncodedExamples,
  type Example,
  encodeTexts,
  type ImageExample,
  type RowOutput,
  type Task,
  type TaskColumns,
  type TaskContext,
  type TextExample,
  tokensOf,
} from './tasks/task.ts';
export { type AnswerOf, type ReadingOf, TASK_NAMES, TASKS, type TaskName } from './tasks/tasks.ts';
export {
  type LabelledPart,
  labelledParts,
  type NamedEntity,
  namedEntities,
  type TaggedExamples,
  type TokenScores,
  wholeText,
} from './tasks/token-classification.ts';
