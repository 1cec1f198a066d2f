export { type BucketedBatchesOptions, bucketedBatches, paddingShare } from './batches.ts';
export { deserializeDataset, serializeDataset } from './dataset-buffer.ts';
export { type EncodeAllOptions, type EncodedTexts, encodeAll, tokenColumns } from './encoding.ts';
export {
  type Column,
  type ColumnType,
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
