import type { Column } from './tensor-dataset.ts';
import type { EncodeOptions, Encoding, Tokenizer } from './tokenizer/index.ts';

/** Many encodings in two or three arrays: row i is [offsets[i], offsets[i + 1]). */
export interface EncodedTexts {
  readonly ids: Int32Array;
  readonly offsets: Uint32Array;
  /** Present when some text was a pair. */
  readonly typeIds: Uint8Array | undefined;
  /** Number of texts that lost tokens to `maxLength`. */
  readonly truncated: number;
  /** Share of unknown tokens among those that are not special. */
  readonly unknownShare: number;
}

export type EncodeAllOptions = Omit<EncodeOptions, 'pair'>;

const PROGRESS_EVERY = 1000;

/** Encodes many texts, or pairs of texts; the texts are read one by one and not kept. */
export function encodeAll(
  tokenizer: Tokenizer,
  texts: Iterable<string | readonly [string, string]>,
  options: EncodeAllOptions = {},
  onProgress?: (done: number) => void,
): EncodedTexts {
  let ids = new Int32Array(1 << 16);
  let typeIds: Uint8Array | undefined;
  let offsets = new Uint32Array(1 << 10);
  let rows = 0;
  let length = 0;
  let truncated = 0;
  let unknown = 0;
  let ordinary = 0;
  for (const text of texts) {
    const isPair = typeof text !== 'string';
    const encoding = isPair
      ? tokenizer.encode(text[0], { ...options, pair: text[1] })
      : tokenizer.encode(text, options);
    const end = length + encoding.ids.length;
    if (end > ids.length) ids = grown(ids, end, Int32Array);
    ids.set(encoding.ids, length);
    if (isPair) typeIds ??= new Uint8Array(ids.length);
    if (typeIds !== undefined) {
      if (end > typeIds.length) typeIds = grown(typeIds, ids.length, Uint8Array);
      typeIds.set(encoding.typeIds, length);
    }
    if (encoding.truncated) truncated++;
    for (let token = 0; token < encoding.ids.length; token++) {
      if (encoding.specialTokensMask[token] === 1) continue;
      ordinary++;
      if (encoding.ids[token] === tokenizer.unknownId) unknown++;
    }
    length = end;
    rows++;
    if (rows + 1 > offsets.length) offsets = grown(offsets, rows + 1, Uint32Array);
    offsets[rows] = length;
    if (rows % PROGRESS_EVERY === 0) onProgress?.(rows);
  }
  onProgress?.(rows);
  return {
    ids: ids.slice(0, length),
    offsets: offsets.slice(0, rows + 1),
    typeIds: typeIds?.slice(0, length),
    truncated,
    unknownShare: ordinary === 0 ? 0 : unknown / ordinary,
  };
}

/** The inputs of a BERT-like model, int64 `[batch, longest]`: `input_ids`, `attention_mask`, and `token_type_ids` unless left out. */
export function tokenColumns(
  encoded: EncodedTexts,
  options: { readonly paddingId: number; readonly tokenTypes?: boolean },
): Record<string, Column> {
  const { ids, offsets, typeIds } = encoded;
  const columns: Record<string, Column> = {
    input_ids: { kind: 'ragged', values: ids, offsets, dtype: 'int64', padValue: options.paddingId },
    attention_mask: { kind: 'mask', of: 'input_ids', dtype: 'int64' },
  };
  if (options.tokenTypes === false) return columns;
  return {
    ...columns,
    token_type_ids:
      typeIds === undefined
        ? { kind: 'zeros', of: 'input_ids', dtype: 'int64' }
        : { kind: 'ragged', values: typeIds, offsets, dtype: 'int64', padValue: 0 },
  };
}

/** The same of encodings that are made already, one a row. */
export function encodingColumns(
  encodings: readonly Encoding[],
  options: { readonly paddingId: number; readonly tokenTypes?: boolean },
): Record<string, Column> {
  const offsets = new Uint32Array(encodings.length + 1);
  for (const [row, { ids }] of encodings.entries()) offsets[row + 1] = offsets[row]! + ids.length;
  const ids = new Int32Array(offsets.at(-1)!);
  const typeIds = new Uint8Array(ids.length);
  for (const [row, encoding] of encodings.entries()) {
    ids.set(encoding.ids, offsets[row]!);
    typeIds.set(encoding.typeIds, offsets[row]!);
  }
  return tokenColumns({ ids, offsets, typeIds, truncated: 0, unknownShare: 0 }, options);
}

function grown<T extends Int32Array | Uint8Array | Uint32Array>(
  array: T,
  needed: number,
  type: new (length: number) => T,
): T {
  const larger = new type(Math.max(needed, array.length * 2));
  larger.set(array);
  return larger;
}
