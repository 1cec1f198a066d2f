import { deriveSeed, LatheError, random } from '../base/index.ts';

export interface BucketedBatchesOptions {
  /** Tokens of every example: the batches are over the indices of this array. */
  readonly lengths: ArrayLike<number>;
  /** Examples a batch, at most. */
  readonly batchSize: number;
  readonly seed: number;
  readonly epoch: number;
  /** False: longest first, the same every epoch (for evaluation). */
  readonly shuffle: boolean;
  /** Tokens a batch after padding, at most; a longer example is a batch of its own. */
  readonly maxTokensPerBatch?: number;
  /** Leaves out the batch that the end of the data cut short. Default false. */
  readonly dropLast?: boolean;
}

/** Batches that are sorted together: enough for little padding, few enough that batches differ from epoch to epoch. */
const BATCHES_SORTED_TOGETHER = 50;

/**
 * Batches of similar length, so that padding to the longest of a batch wastes little.
 *
 * Every example is in exactly one batch of an epoch. Shuffled, the examples are mixed, groups of 50 batches are sorted by
 * length, and the batches are mixed again. The result is a pure function of its arguments: (seed, epoch) and a position in
 * the list say where a run is. Throws `usage` for sizes that are not positive integers.
 */
export function bucketedBatches(options: BucketedBatchesOptions): Int32Array[] {
  const { lengths, batchSize, seed, epoch, shuffle, maxTokensPerBatch, dropLast = false } = options;
  for (const [name, value] of [
    ['batchSize', batchSize],
    ['maxTokensPerBatch', maxTokensPerBatch ?? 1],
  ] as const) {
    if (!Number.isInteger(value) || value < 1) {
      throw new LatheError('usage', `${name}: expected a positive integer, got ${value}`);
    }
  }
  const order = Int32Array.from({ length: lengths.length }, (_, index) => index);
  const longestFirst = (a: number, b: number): number => lengths[b]! - lengths[a]!;
  if (!shuffle) return cut(order.sort(longestFirst), lengths, batchSize, maxTokensPerBatch, dropLast);

  const numbers = random(deriveSeed(seed, 'batches', epoch));
  numbers.shuffle(order);
  const batches: Int32Array[] = [];
  const together = batchSize * BATCHES_SORTED_TOGETHER;
  for (let start = 0; start < order.length; start += together) {
    const group = order.subarray(start, start + together).sort(longestFirst);
    batches.push(...cut(group, lengths, batchSize, maxTokensPerBatch, dropLast && start + together >= order.length));
  }
  return numbers.shuffle(batches);
}

/** Cuts sorted examples into batches; the first of a batch is its longest. */
function cut(
  order: Int32Array,
  lengths: ArrayLike<number>,
  batchSize: number,
  maxTokens = Number.POSITIVE_INFINITY,
  dropLast: boolean,
): Int32Array[] {
  const batches: Int32Array[] = [];
  for (let start = 0; start < order.length; ) {
    const fitting = Math.floor(maxTokens / Math.max(1, lengths[order[start]!]!));
    const size = Math.max(1, Math.min(batchSize, fitting));
    if (dropLast && start + size > order.length) break;
    batches.push(order.slice(start, start + size));
    start += size;
  }
  return batches;
}

/** The share of tokens that padding to the longest of each batch adds: 0 for none. */
export function paddingShare(batches: readonly Int32Array[], lengths: ArrayLike<number>): number {
  let real = 0;
  let padded = 0;
  for (const batch of batches) {
    let longest = 0;
    for (const index of batch) {
      real += lengths[index]!;
      longest = Math.max(longest, lengths[index]!);
    }
    padded += longest * batch.length;
  }
  return padded === 0 ? 0 : 1 - real / padded;
}
