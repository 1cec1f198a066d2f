import { LatheError, random } from '../base/index.ts';
import { growing } from './growing.ts';

/** How near-duplicates are told. */
export interface NearDuplicateOptions {
  /** Jaccard similarity of the word shingles from which two texts count as near-duplicates. Default 0.8. */
  readonly threshold?: number;
  /** Words a shingle. Default 3. */
  readonly shingleWords?: number;
}

export interface NearDuplicate {
  /** The number that {@link NearDuplicateIndex.insert} gave the similar text. */
  readonly entry: number;
  /** Jaccard similarity of the two. */
  readonly similarity: number;
}

/**
 * Finds near-duplicates among texts that arrive one after another: MinHash signatures in locality-sensitive bands
 * (Broder, 1997; Indyk and Motwani, 1998) propose candidates, and the Jaccard similarity of their shingles decides. Pairs at the
 * threshold are found with odds of at least 0.99, pairs above it almost surely; what is reported always passes. The same
 * texts in the same order give the same answer.
 *
 * Memory: 4 bytes a shingle, at most 4 kB, and 8 bytes a band for each text inserted. Of a text with more than 1,024
 * distinct shingles, those with the smallest hashes stand for all (a bottom-k sketch).
 */
export interface NearDuplicateIndex {
  /** The texts inserted so far that are near-duplicates of this one, in the order of their insertion. */
  find(sketch: Sketch): NearDuplicate[];
  /** Inserts a text and returns its number, counted from 0. */
  insert(sketch: Sketch): number;
}

/** What is kept of a text: the sorted hashes of its shingles, and a hash for each band. */
export interface Sketch {
  readonly shingles: Uint32Array;
  readonly bands: Uint32Array;
}

const LARGEST_SKETCH = 1024;
/** Characters of a text that are looked at: what mail and reviews have, and a bound for the rest. */
const LONGEST_TEXT = 1 << 20;
/** Candidates in one band that are compared: beyond these the data is mostly copies of few texts. */
const LONGEST_CHAIN = 512;
const MISS_AT_THRESHOLD = 0.01;
const LARGEST_SIGNATURE = 160;

/** Rows and bands that miss a pair at the threshold with odds of at most 1 %, with as many rows (as few false candidates) as fit. */
export function bandsFor(threshold: number): { readonly bands: number; readonly rows: number } {
  for (let rows = 12; rows > 1; rows--) {
    const bands = Math.ceil(Math.log(MISS_AT_THRESHOLD) / Math.log(1 - threshold ** rows));
    if (bands * rows <= LARGEST_SIGNATURE) return { bands, rows };
  }
  return { bands: LARGEST_SIGNATURE, rows: 1 };
}

export interface NearDuplicateSearch extends NearDuplicateIndex {
  sketch(text: string): Sketch;
}

export function nearDuplicateIndex(options: NearDuplicateOptions = {}): NearDuplicateSearch {
  const { threshold = 0.8, shingleWords = 3 } = options;
  if (!(threshold > 0 && threshold <= 1)) {
    throw new LatheError('usage', `near-duplicate threshold: expected a number above 0 and up to 1, got ${threshold}`);
  }
  const { bands, rows } = bandsFor(threshold);
  const multipliers = new Uint32Array(bands * rows);
  const addends = new Uint32Array(bands * rows);
  const numbers = random(0x1a7e);
  for (let index = 0; index < multipliers.length; index++) {
    multipliers[index] = numbers.integer(0x1_0000_0000) | 1;
    addends[index] = numbers.integer(0x1_0000_0000);
  }

  const shingles = growing(Uint32Array, 1 << 14);
  const ends = growing(Float64Array);
  let bandHashes = new Uint32Array(bands * 1024);
  let previous = new Int32Array(bands * 1024);
  let heads = Array.from({ length: bands }, () => new Int32Array(1024).fill(-1));
  let mask = 1023;

  const link = (entry: number): void => {
    for (let band = 0; band < bands; band++) {
      const bucket = bandHashes[entry * bands + band]! & mask;
      previous[entry * bands + band] = heads[band]![bucket]!;
      heads[band]![bucket] = entry;
    }
  };
  const seen = new Set<number>();

  return {
    sketch(text) {
      const hashes = shinglesOf(text, shingleWords);
      return { shingles: hashes, bands: bandsOf(hashes, bands, rows, multipliers, addends) };
    },
    find(sketch) {
      const found: NearDuplicate[] = [];
      seen.clear();
      for (let band = 0; band < bands; band++) {
        const hash = sketch.bands[band]!;
        let entry = heads[band]![hash & mask]!;
        for (let length = 0; entry >= 0 && length < LONGEST_CHAIN; ) {
          if (bandHashes[entry * bands + band] === hash) {
            length++;
            if (!seen.has(entry)) {
              seen.add(entry);
              const start = entry === 0 ? 0 : ends.data[entry - 1]!;
              const similarity = jaccard(sketch.shingles, shingles.data.subarray(start, ends.data[entry]));
              if (similarity >= threshold) found.push({ entry, similarity });
            }
          }
          entry = previous[entry * bands + band]!;
        }
      }
      return found.sort((left, right) => left.entry - right.entry);
    },
    insert(sketch) {
      const entry = ends.length;
      shingles.append(sketch.shingles);
      ends.push(shingles.length);
      if (entry > mask) {
        mask = mask * 2 + 1;
        const largerHashes = new Uint32Array(bands * (mask + 1));
        largerHashes.set(bandHashes);
        bandHashes = largerHashes;
        previous = new Int32Array(bands * (mask + 1));
        heads = heads.map(() => new Int32Array(mask + 1).fill(-1));
        for (let other = 0; other < entry; other++) link(other);
      }
      bandHashes.set(sketch.bands, entry * bands);
      link(entry);
      return entry;
    },
  };
}

/** Sorted distinct hashes of a text's word shingles; a text with fewer words than a shingle is one shingle. */
export function shinglesOf(text: string, shingleWords: number): Uint32Array {
  const words = wordHashes(text);
  const count = Math.max(1, words.length - shingleWords + 1);
  const hashes = new Uint32Array(count);
  for (let start = 0; start < count; start++) {
    let hash = 0x811c9dc5;
    const end = Math.min(words.length, start + shingleWords);
    for (let index = start; index < end; index++) hash = Math.imul(rotate(hash, 13) ^ words.data[index]!, 0x9e3779b1);
    hashes[start] = mix(hash);
  }
  hashes.sort();
  let distinct = 0;
  for (let index = 0; index < count; index++) {
    if (index === 0 || hashes[index] !== hashes[index - 1]) hashes[distinct++] = hashes[index]!;
  }
  return hashes.slice(0, Math.min(distinct, LARGEST_SKETCH));
}

/** Hashes of the words of a text, without case: runs of letters, digits and marks, and single ideographs. */
function wordHashes(text: string): { readonly length: number; readonly data: Uint32Array } {
  const lower = text.slice(0, LONGEST_TEXT).toLowerCase();
  const words = growing(Uint32Array, 64);
  let hash = 0x811c9dc5;
  let inWord = false;
  for (let index = 0; index < lower.length; index++) {
    const code = lower.charCodeAt(index);
    const isWord =
      (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39) || (code > 0x7f && isWordBeyondAscii(code));
    if (isIdeograph(code)) {
      if (inWord) words.push(hash >>> 0);
      words.push(code);
      hash = 0x811c9dc5;
      inWord = false;
    } else if (isWord) {
      hash = Math.imul(hash ^ code, 0x01000193);
      inWord = true;
    } else if (inWord) {
      words.push(hash >>> 0);
      hash = 0x811c9dc5;
      inWord = false;
    }
  }
  if (inWord) words.push(hash >>> 0);
  return words;
}

/** Scripts written without spaces: each character is a word. */
function isIdeograph(code: number): boolean {
  return code >= 0x3040 && code <= 0x9fff;
}

/** Everything beyond ASCII but spaces and general punctuation; surrogates (emoji, rare scripts) count as letters. */
function isWordBeyondAscii(code: number): boolean {
  return !(code <= 0xbf || (code >= 0x2000 && code <= 0x206f) || (code >= 0x3000 && code <= 0x303f) || code === 0xfeff);
}

function bandsOf(
  shingles: Uint32Array,
  bands: number,
  rows: number,
  multipliers: Uint32Array,
  addends: Uint32Array,
): Uint32Array {
  const out = new Uint32Array(bands);
  for (let band = 0; band < bands; band++) {
    let hash = band;
    for (let row = 0; row < rows; row++) {
      const multiplier = multipliers[band * rows + row]!;
      const addend = addends[band * rows + row]!;
      let least = 0xffffffff;
      for (let index = 0; index < shingles.length; index++) {
        const value = (Math.imul(shingles[index]!, multiplier) + addend) >>> 0;
        if (value < least) least = value;
      }
      hash = Math.imul(rotate(hash, 5) ^ least, 0x85ebca6b);
    }
    out[band] = mix(hash);
  }
  return out;
}

/** Jaccard similarity of two sorted sets; of sketches cut off at their size, its bottom-k estimate. */
function jaccard(left: Uint32Array, right: Uint32Array): number {
  const limit = Math.max(left.length, right.length) === LARGEST_SKETCH ? LARGEST_SKETCH : Number.POSITIVE_INFINITY;
  let common = 0;
  let union = 0;
  let leftIndex = 0;
  let rightIndex = 0;
  while (union < limit && (leftIndex < left.length || rightIndex < right.length)) {
    const leftValue = leftIndex < left.length ? left[leftIndex]! : Number.POSITIVE_INFINITY;
    const rightValue = rightIndex < right.length ? right[rightIndex]! : Number.POSITIVE_INFINITY;
    if (leftValue === rightValue) common++;
    if (leftValue <= rightValue) leftIndex++;
    if (rightValue <= leftValue) rightIndex++;
    union++;
  }
  return union === 0 ? 0 : common / union;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
