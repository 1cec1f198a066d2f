import { EMBEDDING, type Embedding } from './embedding.ts';
import type { Task, TextExample } from './task.ts';

/** Texts as vectors, near each other where texts belong together: for search. Learns from pairs that do. */
export const featureExtraction: Task<Float64Array, Embedding, TextExample> = {
  ...EMBEDDING,
  name: 'feature-extraction',
  tag: 'feature-extraction',
  summary: 'give texts vectors by which those that belong together are found',
  columns: { text: 'text', textPair: 'pair' },
  pairs: 'optional',
  target: 'none',
};
