export { checkpointRefusal } from './checkpoint.ts';
export { type CopyOptions, copyModel } from './copy.ts';
export { fetchModel, verifySha256 } from './fetch.ts';
export type { Fetched, FetchedFile, FetchOptions, FetchPlan, FetchProgress } from './fetched.ts';
export type { WeightFormat } from './hub/choose.ts';
export { fetchFromHub } from './hub/fetch.ts';
export { type Pretrained, type PretrainedOptions, readPretrained } from './pretrained.ts';
export { formatBytes, parseBytes } from './sizes.ts';
export * from './source.ts';
