import { EMBEDDING, type Embedding } from './embedding.ts';
import type { Task, TextExample } from './task.ts';

/** Texts as vectors whose cosines say how alike they are. Learns from pairs with a number. */
export const sentenceSimilarity: Task<Float64Array, Embedding, TextExample> = {
  ...EMBEDDING,
  name: 'sentence-similarity',
  tag: 'sentence-similarity',
  summary: 'give texts vectors that say how alike they are',
  columns: { text: 'text', textPair: 'pair', label: 'score' },
  pairs: 'optional',
  target: 'number',
};
