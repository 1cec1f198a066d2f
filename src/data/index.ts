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
