import { LatheError } from '../base/index.ts';
import type { Column } from './tensor-dataset.ts';

/** The settings of scikit-learn's TfidfVectorizer that Lathe has, under its names. */
export interface VectorizerOptions {
  /** Shortest and longest n-gram, in words. Default [1, 1]. */
  readonly ngramRange?: readonly [number, number];
  /** Documents that a feature must be in: a count from 1 on, a share below 1. Default 1. */
  readonly minDf?: number;
  /** Features at most: the most frequent in all texts together; of equals the first in code point order. Default all. */
  readonly maxFeatures?: number;
  /** Takes 1 + ln(count) for the count. Default false. */
  readonly sublinearTf?: boolean;
  /** Default true. */
  readonly lowercase?: boolean;
}

/** The content of a `vectorizer.json`. */
export interface VectorizerFile {
  readonly format: 'lathe-tfidf-1';
  readonly ngramRange: readonly [number, number];
  readonly sublinearTf: boolean;
  readonly lowercase: boolean;
  /** Features in code point order; the words of an n-gram are joined by a space. */
  readonly terms: readonly string[];
  readonly idf: readonly number[];
}

/** A text as a sparse row: the ids of its features, ascending, and their weights. The row has length 1, or no features. */
export interface SparseFeatures {
  readonly ids: Int32Array;
  readonly weights: Float32Array;
}

export interface Vectorizer {
  readonly file: VectorizerFile;
  vectorize(text: string): SparseFeatures;
}

/**
 * Learns the features of a bag of word n-grams, weighted by TF-IDF with smoothed idf and scaled to length 1.
 *
 * Words are two or more letters, digits and underscores (`\b\w\w+\b`). Equal to scikit-learn 1.9's TfidfVectorizer; where
 * several features share the count at the limit of `maxFeatures`, scikit-learn leaves open which it keeps. Texts are read
 * one by one and not kept. Throws `usage` for options that make no sense, `invalid-data` when no feature remains.
 */
export function fitVectorizer(texts: Iterable<string>, options: VectorizerOptions = {}): Vectorizer {
  const { ngramRange = [1, 1], minDf = 1, maxFeatures, sublinearTf = false, lowercase = true } = options;
  checkOptions(ngramRange, minDf, maxFeatures);
  const table = ngramTable();
  const depths = integersByIndex();
  const counts = integersByIndex();
  const documents = integersByIndex();
  const lastSeen = integersByIndex();
  let total = 0;
  for (const text of texts) {
    total++;
    eachNgram(wordIds(text, lowercase, table.addWord), ngramRange, table.add, (node, depth) => {
      depths.set(node, depth);
      counts.increment(node);
      if (lastSeen.get(node) !== total) {
        lastSeen.set(node, total);
        documents.increment(node);
      }
    });
  }
  const least = minDf < 1 ? minDf * total : minDf;
  let kept: number[] = [];
  for (let node = 1; node < table.size(); node++) {
    if (depths.get(node) > 0 && documents.get(node) >= least) kept.push(node);
  }
  if (kept.length === 0) {
    throw new LatheError('invalid-data', `no word or n-gram is in ${least} of ${total} texts`, {
      hint: 'Lower minDf, or check that the texts are not empty.',
    });
  }
  if (maxFeatures !== undefined && kept.length > maxFeatures) {
    kept.sort((a, b) => counts.get(b) - counts.get(a));
    const atLimit = counts.get(kept[maxFeatures - 1]!);
    const above = kept.filter((node) => counts.get(node) > atLimit);
    const equal = kept.filter((node) => counts.get(node) === atLimit);
    equal.sort((a, b) => compareCodePoints(table.term(a), table.term(b)));
    kept = [...above, ...equal.slice(0, maxFeatures - above.length)];
  }
  const features = kept.map((node) => ({ term: table.term(node), documents: documents.get(node) }));
  features.sort((a, b) => compareCodePoints(a.term, b.term));
  return vectorizerOf({
    format: 'lathe-tfidf-1',
    ngramRange,
    sublinearTf,
    lowercase,
    terms: features.map(({ term }) => term),
    idf: features.map((feature) => Math.log((1 + total) / (1 + feature.documents)) + 1),
  });
}

/** Makes a vectorizer from a `vectorizer.json` (its text or its parsed content). Throws `invalid-data` when it is not one. */
export function loadVectorizer(source: string | object): Vectorizer {
  let file: Partial<VectorizerFile>;
  try {
    file = typeof source === 'string' ? JSON.parse(source) : source;
  } catch (cause) {
    throw new LatheError('invalid-data', 'vectorizer.json: not valid JSON', { cause });
  }
  const { format, terms, idf, ngramRange } = file ?? {};
  if (format !== 'lathe-tfidf-1' || !Array.isArray(terms) || !Array.isArray(idf) || !Array.isArray(ngramRange)) {
    throw new LatheError(
      'invalid-data',
      'vectorizer.json: expected the format lathe-tfidf-1 with terms, idf and ngramRange',
    );
  }
  if (terms.length !== idf.length) {
    throw new LatheError('invalid-data', `vectorizer.json: ${terms.length} terms, but ${idf.length} idf values`);
  }
  return vectorizerOf(file as VectorizerFile);
}

/** Many texts as the inputs of a linear model: `feature_ids` (int64) and `feature_weights` (float32), `[batch, most features]`; padding has weight 0. */
export function featureColumns(vectorizer: Vectorizer, texts: Iterable<string>): Record<string, Column> {
  const ids = integersByIndex();
  let weights = new Float32Array(1024);
  const offsets = integersByIndex();
  let length = 0;
  let rows = 0;
  for (const text of texts) {
    const row = vectorizer.vectorize(text);
    ids.append(row.ids, length);
    if (weights.length < length + row.ids.length) {
      const larger = new Float32Array(Math.max(length + row.ids.length, weights.length * 2));
      larger.set(weights);
      weights = larger;
    }
    weights.set(row.weights, length);
    length += row.ids.length;
    offsets.set(++rows, length);
  }
  const rowOffsets = Uint32Array.from(offsets.take(rows + 1));
  const shared = { kind: 'ragged', offsets: rowOffsets, padValue: 0 } as const;
  return {
    feature_ids: { ...shared, values: ids.take(length), dtype: 'int64' },
    feature_weights: { ...shared, values: weights.slice(0, length), dtype: 'float32' },
  };
}

/** TF-IDF of the counts of one text, scaled to length 1. */
export function tfidf(counts: ArrayLike<number>, idf: ArrayLike<number>, sublinearTf: boolean): Float64Array {
  const weights = new Float64Array(counts.length);
  let squares = 0;
  for (let index = 0; index < counts.length; index++) {
    const weight = (sublinearTf ? 1 + Math.log(counts[index]!) : counts[index]!) * idf[index]!;
    weights[index] = weight;
    squares += weight * weight;
  }
  const length = Math.sqrt(squares);
  for (let index = 0; index < weights.length; index++) weights[index]! /= length;
  return weights;
}

function vectorizerOf(file: VectorizerFile): Vectorizer {
  const { terms, idf, ngramRange, sublinearTf, lowercase } = file;
  const table = ngramTable();
  const featureOf = integersByIndex();
  terms.forEach((term, feature) => {
    let node = 0;
    for (const word of term.split(' ')) node = table.add(node, table.addWord(word));
    featureOf.set(node, feature + 1);
  });
  // Counts of the text at hand, by feature; only the places in `touched` are ever other than 0.
  const counts = new Int32Array(terms.length);
  return {
    file,
    vectorize(text) {
      const touched: number[] = [];
      eachNgram(wordIds(text, lowercase, table.findWord), ngramRange, table.find, (node) => {
        const feature = featureOf.get(node) - 1;
        if (feature >= 0 && counts[feature]!++ === 0) touched.push(feature);
      });
      const ids = Int32Array.from(touched).sort();
      const weights = tfidf(
        Array.from(ids, (id) => counts[id]!),
        Array.from(ids, (id) => idf[id]!),
        sublinearTf,
      );
      for (const id of ids) counts[id] = 0;
      return { ids, weights: Float32Array.from(weights) };
    },
  };
}

/** The words of a text by number; -1 for a word that `find` does not know. */
function wordIds(text: string, lowercase: boolean, find: (word: string) => number): number[] {
  const read = lowercase ? text.toLowerCase() : text;
  const ids: number[] = [];
  let start = 0;
  let characters = 0;
  for (let position = 0; position <= read.length; position++) {
    const unit = position < read.length ? read.charCodeAt(position) : 0;
    let size = 1;
    let isWord: boolean;
    if (unit < 128) isWord = ASCII_WORD[unit] === 1;
    else {
      const code = read.codePointAt(position)!;
      isWord = WORD_CHARACTER.test(String.fromCodePoint(code));
      if (code > 0xffff) size = 2;
    }
    if (isWord) {
      if (characters++ === 0) start = position;
    } else {
      if (characters > 1) ids.push(find(read.slice(start, position)));
      characters = 0;
    }
    position += size - 1;
  }
  return ids;
}

// What Python's \w is: letters, numbers of any kind and the underscore, but no combining marks.
const WORD_CHARACTER = /^[\p{L}\p{N}_]$/u;
const ASCII_WORD = Uint8Array.from({ length: 128 }, (_, code) =>
  WORD_CHARACTER.test(String.fromCharCode(code)) ? 1 : 0,
);

/** Visits every n-gram of a text as a node of the table; `next` gives -1 where there is none. */
function eachNgram(
  words: readonly number[],
  [shortest, longest]: readonly [number, number],
  next: (node: number, word: number) => number,
  visit: (node: number, depth: number) => void,
): void {
  for (let start = 0; start < words.length; start++) {
    const last = Math.min(longest, words.length - start);
    let node = 0;
    for (let depth = 1; depth <= last; depth++) {
      const word = words[start + depth - 1]!;
      node = word < 0 ? -1 : next(node, word);
      if (node < 0) break;
      if (depth >= shortest) visit(node, depth);
    }
  }
}

/** N-grams as a tree of words: node 0 is the root, a node's child by a word is the n-gram one word longer. */
function ngramTable() {
  const wordNumbers = new Map<string, number>();
  const words: string[] = [];
  const parents = integersByIndex();
  const lastWords = integersByIndex();
  let size = 1;
  // Open addressing over (parent, last word); 0 is a free slot, since the root is nobody's child.
  let slots = new Int32Array(1 << 12);

  const slotOf = (node: number, word: number): number => {
    const mask = slots.length - 1;
    const hash = Math.imul(Math.imul(node, 0x9e3779b1) ^ word, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const child = slots[slot]!;
      if (child === 0 || (parents.get(child) === node && lastWords.get(child) === word)) return slot;
      slot = (slot + 1) & mask;
    }
  };

  return {
    size: () => size,
    findWord: (word: string): number => wordNumbers.get(word) ?? -1,
    addWord(word: string): number {
      let number = wordNumbers.get(word);
      if (number === undefined) {
        number = words.length;
        wordNumbers.set(word, number);
        words.push(word);
      }
      return number;
    },
    find: (node: number, word: number): number => slots[slotOf(node, word)]! || -1,
    add(node: number, word: number): number {
      const slot = slotOf(node, word);
      if (slots[slot] !== 0) return slots[slot]!;
      const child = size++;
      slots[slot] = child;
      parents.set(child, node);
      lastWords.set(child, word);
      if (size * 2 > slots.length) {
        slots = new Int32Array(slots.length * 4);
        for (let other = 1; other < size; other++) {
          slots[slotOf(parents.get(other), lastWords.get(other))] = other;
        }
      }
      return child;
    },
    term(node: number): string {
      const parts: string[] = [];
      for (let at = node; at > 0; at = parents.get(at)) parts.push(words[lastWords.get(at)]!);
      return parts.reverse().join(' ');
    },
  };
}

/** Integers by index, zero where nothing was written; grows as it is written to. */
function integersByIndex() {
  let data = new Int32Array(1024);
  // Growing gives another array: nobody outside holds on to one while writing.
  const reserve = (length: number): Int32Array => {
    if (length > data.length) {
      const larger = new Int32Array(Math.max(length, data.length * 2));
      larger.set(data);
      data = larger;
    }
    return data;
  };
  return {
    get: (index: number): number => (index < data.length ? data[index]! : 0),
    set(index: number, value: number): void {
      reserve(index + 1)[index] = value;
    },
    increment(index: number): void {
      reserve(index + 1)[index]!++;
    },
    append(values: Int32Array, at: number): void {
      reserve(at + values.length).set(values, at);
    },
    /** The first `length` of them; a copy. */
    take: (length: number): Int32Array => reserve(length).slice(0, length),
  };
}

/** Python's order of text; JavaScript's own differs above U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let unit = 0; unit < length; unit++) {
    const left = a.charCodeAt(unit);
    const right = b.charCodeAt(unit);
    if (left === right) continue;
    // Surrogates stand for the highest code points, but lie below U+E000 as units.
    const isLeftPair = left >= 0xd800 && left <= 0xdfff;
    const isRightPair = right >= 0xd800 && right <= 0xdfff;
    if (isLeftPair !== isRightPair) return isLeftPair ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

function checkOptions(ngramRange: readonly [number, number], minDf: number, maxFeatures: number | undefined): void {
  const [shortest, longest] = ngramRange;
  if (!Number.isInteger(shortest) || !Number.isInteger(longest) || shortest < 1 || longest < shortest) {
    throw new LatheError('usage', `ngramRange: expected two integers, 1 <= shortest <= longest, got [${ngramRange}]`);
  }
  if (!(minDf >= 0) || (minDf >= 1 && !Number.isInteger(minDf))) {
    throw new LatheError('usage', `minDf: expected a count of documents or a share below 1, got ${minDf}`);
  }
  if (maxFeatures !== undefined && (!Number.isInteger(maxFeatures) || maxFeatures < 1)) {
    throw new LatheError('usage', `maxFeatures: expected a positive integer, got ${maxFeatures}`);
  }
}
