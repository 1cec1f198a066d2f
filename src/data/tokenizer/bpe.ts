import { LatheError } from '../../base/index.ts';
import { utf8Of } from './byte-level.ts';
import type { ModelFile } from './files.ts';
import type { WordPieces } from './word-pieces.ts';

// Ids stay under 2^26, so that a pair is one exact number.
const PAIR = 2 ** 26;

/**
 * Byte-pair encoding: the characters of a word are joined in the order in which the vocabulary learned its pairs. What the
 * vocabulary lacks becomes its bytes (`byte_fallback`), else the unknown token, else nothing.
 *
 * Throws 'invalid-data' when a pair is not of the vocabulary, and 'unsupported' for `dropout`.
 */
export function bytePairs(model: ModelFile, vocabulary: ReadonlyMap<string, number>): WordPieces {
  const prefix = textOf(model, 'continuing_subword_prefix');
  const suffix = textOf(model, 'end_of_word_suffix');
  const unknownName = textOf(model, 'unk_token');
  const fusesUnknown = model.fuse_unk === true;
  const bytes = model.byte_fallback === true ? byteIds(vocabulary) : undefined;
  const ignoresMerges = model.ignore_merges === true;
  if (typeof model.dropout === 'number' && model.dropout > 0) {
    throw new LatheError('unsupported', `tokenizer.json: BPE with a dropout of ${model.dropout}: tokens are random`);
  }
  const unknown = unknownName === '' ? undefined : vocabulary.get(unknownName);
  const merges = mergesOf(model, vocabulary, prefix);

  return (word) => {
    if (ignoresMerges) {
      const whole = vocabulary.get(word);
      if (whole !== undefined) return Int32Array.of(whole, 0, word.length);
    }
    const pieces: number[] = [];
    // Unknown characters are kept back until the next known one: those that are bytes go before them, as in the reference.
    let pending: [number, number] | undefined;
    const flush = (): void => {
      if (pending !== undefined) pieces.push(unknown!, ...pending);
      pending = undefined;
    };
    let end = 0;
    for (let start = 0; start < word.length; start = end) {
      end = start + (word.codePointAt(start)! > 0xffff ? 2 : 1);
      const character = word.slice(start, end);
      const spelled = `${start > 0 ? prefix : ''}${character}${end === word.length ? suffix : ''}`;
      const id = vocabulary.get(spelled);
      if (id !== undefined) {
        flush();
        pieces.push(id, start, end);
        continue;
      }
      const ids = bytes && utf8Of(spelled).map((byte) => bytes[byte]!);
      if (ids?.every((byte) => byte >= 0)) {
        for (const byte of ids) pieces.push(byte, start, end);
      } else if (unknown !== undefined) {
        if (!fusesUnknown) flush();
        pending = [pending?.[0] ?? start, end];
      }
    }
    flush();
    return merge(pieces, merges);
  };
}

interface Merges {
  /** The rank of a pair. */
  readonly ranks: ReadonlyMap<number, number>;
  /** By rank, what a pair becomes. */
  readonly ids: Int32Array;
}

function mergesOf(model: ModelFile, vocabulary: ReadonlyMap<string, number>, prefix: string): Merges {
  const given = model.merges;
  if (!Array.isArray(given)) {
    throw new LatheError('invalid-data', 'tokenizer.json: expected a list of pairs in "model.merges"');
  }
  const ranks = new Map<number, number>();
  const ids = new Int32Array(given.length);
  const idOf = (token: string, rank: number): number =>
    vocabulary.get(token) ??
    (() => {
      throw new LatheError(
        'invalid-data',
        `tokenizer.json: pair ${rank} of "model.merges" has ${JSON.stringify(token)}, which the vocabulary lacks`,
      );
    })();
  for (const [rank, pair] of given.entries()) {
    const [left, right] = (typeof pair === 'string' ? pair.split(' ') : pair) as [string, string];
    if (typeof left !== 'string' || typeof right !== 'string') {
      throw new LatheError(
        'invalid-data',
        `tokenizer.json: expected a pair, got ${JSON.stringify(pair)} in "model.merges"`,
      );
    }
    ranks.set(idOf(left, rank) * PAIR + idOf(right, rank), rank);
    ids[rank] = idOf(left + right.slice(prefix.length), rank);
  }
  return { ranks, ids };
}

/** Joins pairs of neighbours, the oldest pair of the vocabulary first, of equals the leftmost. Pieces are (id, start, end). */
function merge(pieces: readonly number[], { ranks, ids }: Merges): Int32Array {
  const count = pieces.length / 3;
  const id = Int32Array.from({ length: count }, (_, index) => pieces[index * 3]!);
  const end = Int32Array.from({ length: count }, (_, index) => pieces[index * 3 + 2]!);
  // A joined piece stands in the place of its left part; the right part has the id −1.
  const before = Int32Array.from({ length: count }, (_, index) => index - 1);
  const after = Int32Array.from({ length: count }, (_, index) => (index + 1 < count ? index + 1 : -1));
  const queue: number[] = [];
  const rankOf = (left: number): number | undefined => {
    const right = after[left]!;
    return right < 0 ? undefined : ranks.get(id[left]! * PAIR + id[right]!);
  };
  // The rank and the place in one number, whose order is theirs.
  const propose = (left: number): void => {
    const rank = rankOf(left);
    if (rank !== undefined) push(queue, rank * PAIR + left);
  };
  for (let left = 0; left + 1 < count; left++) propose(left);
  for (let next = pop(queue); next !== undefined; next = pop(queue)) {
    const left = next % PAIR;
    const joined = ids[(next - left) / PAIR]!;
    if (id[left] === -1) continue;
    const rank = rankOf(left);
    if (rank === undefined || ids[rank] !== joined) continue;
    const right = after[left]!;
    id[left] = joined;
    end[left] = end[right]!;
    id[right] = -1;
    after[left] = after[right]!;
    if (after[left]! >= 0) before[after[left]!] = left;
    if (before[left]! >= 0) propose(before[left]!);
    propose(left);
  }
  const joined: number[] = [];
  for (let index = 0; index < count; index++) {
    if (id[index] !== -1) joined.push(id[index]!, pieces[index * 3 + 1]!, end[index]!);
  }
  return Int32Array.from(joined);
}

/** The ids of `<0x00>` to `<0xFF>`, −1 for those that the vocabulary lacks. */
export function byteIds(vocabulary: ReadonlyMap<string, number>): Int32Array {
  return Int32Array.from(
    { length: 256 },
    (_, byte) => vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`) ?? -1,
  );
}

function textOf(model: ModelFile, name: string): string {
  const value = model[name];
  return typeof value === 'string' ? value : '';
}

function push(heap: number[], value: number): void {
  let index = heap.length;
  heap.push(value);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (heap[parent]! <= value) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = value;
}

function pop(heap: number[]): number | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return top;
  let index = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
  return top;
}
