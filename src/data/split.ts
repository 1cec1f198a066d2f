import { z } from 'zod';
import { hash32, LatheError } from '../base/index.ts';
import type { TextHash } from './hash-index.ts';

export const SPLITS = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof SPLITS)[number];

/** Shares of the splits; they need not add up to 1, only their ratio counts. */
export const fractionsSchema = z.strictObject({
  train: z.number().min(0).default(0.8),
  validation: z.number().min(0).default(0.1),
  test: z.number().min(0).default(0.1),
});
export type Fractions = z.infer<typeof fractionsSchema>;

export const DEFAULT_FRACTIONS: Fractions = { train: 0.8, validation: 0.1, test: 0.1 };

const WORDS: Readonly<Record<string, SplitName>> = {
  train: 'train',
  training: 'train',
  validation: 'validation',
  valid: 'validation',
  val: 'validation',
  dev: 'validation',
  test: 'test',
  testing: 'test',
  eval: 'test',
};

/** The split that a word in a column or the name of a folder means, or undefined when it means none. */
export function splitOf(word: string): SplitName | undefined {
  const key = word.trim().toLowerCase();
  return Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
}

/** The words that {@link splitOf} knows. */
export const SPLIT_WORDS: readonly string[] = Object.keys(WORDS);

/**
 * Where a key falls in [0, 1): the same key, seed and nothing else decide, so that rows added later move no others.
 * Rows that must stay together share a key.
 */
export function position(key: TextHash, seed: number): number {
  const name = `${key.high}:${key.low}`;
  return ((hash32(name, seed) >>> 5) * 67108864 + (hash32(name, ~seed) >>> 6)) / 9007199254740992;
}

/** The split of a position in [0, 1): test first, then validation, so that a larger training share takes from neither. */
export function splitAt(place: number, fractions: Fractions): SplitName {
  const total = fractions.train + fractions.validation + fractions.test;
  if (!(total > 0) || !Number.isFinite(total)) {
    throw new LatheError('usage', `split fractions: expected a sum above 0, got ${JSON.stringify(fractions)}`);
  }
  if (place * total < fractions.test) return 'test';
  return place * total < fractions.test + fractions.validation ? 'validation' : 'train';
}
