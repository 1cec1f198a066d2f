export type { Fetched, FetchedFile, FetchOptions, FetchPlan, FetchProgress } from './fetched.ts';
export type { WeightFormat } from './hub/choose.ts';
export { fetchFromHub } from './hub/fetch.ts';
export { formatBytes, parseBytes } from './sizes.ts';
export * from './source.ts';
