import type { Encoding } from './tokenizer.ts';

export interface PadBatchOptions {
  readonly padId: number;
  /** Pads to this many tokens, unless an encoding is longer. Default: the longest of the batch. */
  readonly length?: number;
  /** Rounds the length up. */
  readonly multipleOf?: number;
  /** Where padding goes. Default `right`. */
  readonly side?: 'right' | 'left';
}

/** Rows of equal length, row-major, 64-bit as models take them. */
export interface PaddedBatch {
  /** `[encodings, longest]`. */
  readonly dims: readonly [number, number];
  readonly inputIds: BigInt64Array;
  readonly attentionMask: BigInt64Array;
  readonly tokenTypeIds: BigInt64Array;
}

/** Pads encodings to one length. Padding has type 0 and mask 0. */
export function padBatch(
  encodings: readonly Pick<Encoding, 'ids' | 'typeIds'>[],
  { padId, length = 0, multipleOf = 1, side = 'right' }: PadBatchOptions,
): PaddedBatch {
  const longest = encodings.reduce((most, { ids }) => Math.max(most, ids.length), length);
  const width = Math.ceil(longest / multipleOf) * multipleOf;
  const size = encodings.length * width;
  const inputIds = new BigInt64Array(size).fill(BigInt(padId));
  const attentionMask = new BigInt64Array(size);
  const tokenTypeIds = new BigInt64Array(size);
  encodings.forEach(({ ids, typeIds }, row) => {
    const start = row * width + (side === 'left' ? width - ids.length : 0);
    for (let token = 0; token < ids.length; token++) {
      inputIds[start + token] = BigInt(ids[token]!);
      tokenTypeIds[start + token] = BigInt(typeIds[token]!);
    }
    attentionMask.fill(1n, start, start + ids.length);
  });
  return { dims: [encodings.length, width], inputIds, attentionMask, tokenTypeIds };
}
