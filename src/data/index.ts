export { type BatchContext, type BatchStep, runBatchSteps } from './batch-steps/batch-step.ts';
export { type MaskTokens, maskTokens } from './batch-steps/mask-tokens.ts';
export { type StackPairs, stackPairs } from './batch-steps/stack-pairs.ts';
export { type BucketedBatchesOptions, bucketedBatches, paddingShare } from './batches.ts';
export {
  type CleaningStep,
  type CleaningStepInput,
  cleaningSchema,
  cleaningStepSchema,
  DEFAULT_CLEANING,
} from './cleaning/schema.ts';
export { type TextStep, textCleaner, textSteps } from './cleaning/text-steps.ts';
export {
  type DatasetFacts,
  datasetFactsSchema,
  isPrepared,
  openDataset,
  type PreparedDataset,
} from './dataset.ts';
export { deserializeDataset, serializeDataset } from './dataset-buffer.ts';
export { type EncodeAllOptions, type EncodedTexts, encodeAll, encodingColumns, tokenColumns } from './encoding.ts';
export { htmlToText } from './html-to-text.ts';
export * from './images/index.ts';
export { type Mail, mailText, parseMail } from './mail.ts';
export { datasetFromFile, inspectData, type PrepareOptions, prepareDataset, type ReportedDataset } from './prepare.ts';
export { type DataReport, type Finding, findingsOf } from './report/data-report.ts';
export { dataReportPage } from './report/page.ts';
export { excerptOf, type Row, type RowBatch, type RowReader, textOf, type UnreadableRow, type Value } from './row.ts';
export { hashFile, isInside, listFiles, type SourceFile, statOf, walk } from './sources/files.ts';
export { holdsImages } from './sources/folder.ts';
export { readRows } from './sources/index.ts';
export { type ReadOptions, type Source, type SourceInput, sourceSchema } from './sources/source.ts';
export { sourceOf } from './sources/source-of.ts';
export { DEFAULT_FRACTIONS, type Fractions, fractionsSchema, SPLITS, type SplitName } from './split.ts';
export {
  continues,
  entitiesOfTags,
  strictEntitiesOfTags,
  type TaggedEntity,
  type TagParts,
  type TagScheme,
  tagPartsOf,
  tagSchemeOf,
} from './tags.ts';
export { type Answers, type Span, TARGET_KINDS, TARGETS, type Target, type TargetKind } from './targets.ts';
export {
  type Column,
  type ColumnType,
  closeDataset,
  gatherBatch,
  lengthsOf,
  type TensorDataset,
  tensorDataset,
} from './tensor-dataset.ts';
export * from './tokenizer/index.ts';
export {
  featureColumns,
  fitVectorizer,
  loadVectorizer,
  type SparseFeatures,
  type Vectorizer,
  type VectorizerFile,
  type VectorizerOptions,
} from './vectorizer.ts';
