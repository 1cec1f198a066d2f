import { LatheError } from '../../base/index.ts';
import { byteIds } from './bpe.ts';
import { utf8Of } from './byte-level.ts';
import type { ModelFile } from './files.ts';
import type { WordPieces } from './word-pieces.ts';

/** How much less likely than the rarest token an unknown character is. */
const UNKNOWN_PENALTY = 10;

/**
 * A unigram language model (Kudo, 2018): a word becomes the tokens whose log-probabilities have the highest sum. Unknown
 * characters side by side are one token, or their bytes (`byte_fallback`).
 *
 * Throws 'invalid-data' for a vocabulary that is no list of tokens with scores; what it returns throws 'invalid-data' for
 * a word with an unknown character where there is no unknown token.
 */
export function unigrams(model: ModelFile, ids: ReadonlyMap<string, number>): WordPieces {
  const { vocab } = model;
  if (!Array.isArray(vocab) || !vocab.every((row) => typeof row?.[0] === 'string' && typeof row[1] === 'number')) {
    throw new LatheError('invalid-data', 'tokenizer.json: expected a list of [token, score] in "model.vocab"');
  }
  const scores = Float64Array.from(vocab as readonly (readonly [string, number])[], ([, score]) => score);
  const unknown = typeof model.unk_id === 'number' ? model.unk_id : undefined;
  if (unknown !== undefined && !(unknown >= 0 && unknown < scores.length)) {
    throw new LatheError('invalid-data', `tokenizer.json: "model.unk_id" is ${unknown}, of ${scores.length} tokens`);
  }
  const bytes = model.byte_fallback === true ? byteIds(ids) : undefined;
  const unknownScore =
    scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - UNKNOWN_PENALTY;
  const trie = trieOf(ids);

  return (word) => {
    const size = word.length;
    const best = new Float64Array(size + 1);
    const from = new Int32Array(size + 1).fill(-1);
    const tokens = new Int32Array(size + 1);
    const reach = (start: number, end: number, id: number, score: number): void => {
      const sum = score + best[start]!;
      if (from[end]! >= 0 && sum <= best[end]!) return;
      best[end] = sum;
      from[end] = start;
      tokens[end] = id;
    };
    for (let start = 0; start < size; ) {
      const next = start + (word.codePointAt(start)! > 0xffff ? 2 : 1);
      let isKnown = false;
      let node = 0;
      for (let unit = start; unit < size; unit++) {
        node = trie.next(node, word.charCodeAt(unit));
        if (node < 0) break;
        const id = trie.ids[node]!;
        if (id < 0) continue;
        reach(start, unit + 1, id, scores[id]!);
        if (unit + 1 === next) isKnown = true;
      }
      if (!isKnown) reach(start, next, unknown ?? refuse(word), unknownScore);
      start = next;
    }
    const path: number[] = [];
    for (let end = size; end > 0; ) {
      const id = tokens[end]!;
      let start = from[end]!;
      if (id === unknown) while (start > 0 && tokens[start] === unknown) start = from[start]!;
      path.push(id, start, end);
      end = start;
    }
    const pieces: number[] = [];
    for (let at = path.length - 3; at >= 0; at -= 3) {
      const [id, start, end] = [path[at]!, path[at + 1]!, path[at + 2]!];
      // Unknown characters together may spell a token.
      const spelled = id === unknown ? word.slice(start, end) : '';
      const whole = spelled === '' ? id : ids.get(spelled);
      const spelledBytes =
        whole === undefined && bytes !== undefined ? utf8Of(spelled).map((byte) => bytes[byte]!) : [];
      if (spelledBytes.length > 0 && spelledBytes.every((byte) => byte >= 0)) {
        for (const byte of spelledBytes) pieces.push(byte, start, end);
      } else pieces.push(whole ?? id, start, end);
    }
    return Int32Array.from(pieces);
  };
}

function refuse(word: string): never {
  throw new LatheError(
    'invalid-data',
    `the vocabulary lacks a character of ${JSON.stringify(word.slice(0, 40))}, and has no unknown token`,
    { hint: 'Name one as "unk_id" in the tokenizer.json.' },
  );
}

interface Trie {
  /** The node behind a node and a unit, or −1; node 0 is the beginning. */
  next(node: number, unit: number): number;
  /** By node, the id of the token that ends there, else −1. */
  readonly ids: Int32Array;
}

/** A hash table over typed arrays: a Map of a million numbers takes several times the memory, and longer to make. */
function trieOf(tokens: ReadonlyMap<string, number>): Trie {
  let units = 1;
  for (const token of tokens.keys()) units += token.length;
  const capacity = 2 ** Math.ceil(Math.log2(units * 2));
  // Of each place: the node before, the unit, and the node behind; 0 where the place is free.
  const parents = new Int32Array(capacity);
  const letters = new Uint16Array(capacity);
  const children = new Int32Array(capacity);
  const ids = new Int32Array(units).fill(-1);
  let count = 1;
  const placeOf = (node: number, unit: number): number => {
    const mixed = Math.imul(node ^ Math.imul(unit, 0x9e3779b1), 0x85ebca6b);
    let place = (mixed ^ (mixed >>> 15)) & (capacity - 1);
    while (children[place] !== 0 && !(parents[place] === node && letters[place] === unit)) {
      place = (place + 1) & (capacity - 1);
    }
    return place;
  };
  for (const [token, id] of tokens) {
    let node = 0;
    for (let at = 0; at < token.length; at++) {
      const unit = token.charCodeAt(at);
      const place = placeOf(node, unit);
      if (children[place] === 0) {
        parents[place] = node;
        letters[place] = unit;
        children[place] = count++;
      }
      node = children[place]!;
    }
    if (token !== '') ids[node] = id;
  }
  return { next: (node, unit) => children[placeOf(node, unit)]! || -1, ids: ids.slice(0, count) };
}
