export { CATALOGUE, CATALOGUE_TASKS, type CatalogueEntry, type CatalogueTask } from './catalogue.ts';
export { checkpointRefusal } from './checkpoint.ts';
export { type CopyOptions, copyModel } from './copy.ts';
export { type ModelFacts, modelFacts, type NamedType } from './facts.ts';
export { fetchModel, verifySha256 } from './fetch.ts';
export type { Fetched, FetchedFile, FetchOptions, FetchPlan, FetchProgress } from './fetched.ts';
export type { WeightFormat } from './hub/choose.ts';
export { fetchFromHub } from './hub/fetch.ts';
export { installedFolder } from './local.ts';
export { type Pretrained, type PretrainedOptions, readPretrained } from './pretrained.ts';
export { formatBytes, parseBytes } from './sizes.ts';
export * from './source.ts';
export {
  checkpointTensors,
  type WritePretrainedOptions,
  type WrittenPretrained,
  writePretrained,
} from './write-pretrained.ts';
