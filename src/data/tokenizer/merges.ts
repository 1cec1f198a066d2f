export interface LearnMergesOptions {
  readonly vocabularySize: number;
  readonly minFrequency: number;
  /** Tokens that come first and are no pieces of words. */
  readonly reserved: readonly string[];
  readonly limitAlphabet: number;
  /** Marks pieces inside a word. */
  readonly prefix: string;
  readonly onToken?: (tokens: number) => void;
}

// Pieces stay under 2^26, so that a pair is one exact number.
const PAIR = 2 ** 26;
const PROGRESS_EVERY = 500;

/**
 * Learns pieces from word counts: repeatedly the most frequent pair of neighbouring pieces becomes one piece.
 *
 * Returns all tokens in the order of their ids: the reserved ones, the characters, the characters inside words, the
 * merged pieces. Each merge touches only the words that hold its pair, and the next pair comes from a heap whose stale
 * counts are corrected when they surface.
 */
export function learnMerges(counts: ReadonlyMap<string, number>, options: LearnMergesOptions): string[] {
  const { vocabularySize, minFrequency, reserved, limitAlphabet, prefix, onToken } = options;
  const tokens = [...reserved];
  const ids = new Map(reserved.map((token, id) => [token, id]));
  const add = (token: string): number => {
    let id = ids.get(token);
    if (id === undefined) {
      id = tokens.length;
      ids.set(token, id);
      tokens.push(token);
    }
    return id;
  };

  // Every character needs a token at the beginning of a word and one inside.
  const alphabet = alphabetOf(counts, Math.min(limitAlphabet, Math.floor((vocabularySize - reserved.length) / 2)));
  // Sorted words make every id, and so every tie, independent of the order of the texts.
  const words = [...counts.keys()].filter((word) => Array.from(word).every((character) => alphabet.has(character)));
  words.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const inside = new Set<string>();
  for (const word of words) {
    const characters = Array.from(word);
    for (let index = 1; index < characters.length; index++) inside.add(characters[index]!);
  }
  for (const character of alphabet) add(character);
  for (const character of [...inside].sort(byCodePoint)) add(prefix + character);
  // All words in one array; a merged pair leaves its second place free, marked -1, and `next` closes the gap.
  const frequency = new Float64Array(words.length);
  const starts = new Int32Array(words.length + 1);
  for (let index = 0; index < words.length; index++) {
    frequency[index] = counts.get(words[index]!)!;
    starts[index + 1] = starts[index]! + Array.from(words[index]!).length;
  }
  const symbols = new Int32Array(starts[words.length]!);
  const lengths = new Int32Array(words.length);
  const pairs = new Map<number, PairState>();
  const heap: Candidate[] = [];

  const change = (left: number, right: number, by: number, word: number): PairState => {
    const key = left * PAIR + right;
    let pair = pairs.get(key);
    if (pair === undefined) {
      pair = { left, right, count: 0, words: [] };
      pairs.set(key, pair);
    }
    pair.count += by;
    if (by > 0 && pair.words[pair.words.length - 1] !== word) pair.words.push(word);
    return pair;
  };

  for (let word = 0; word < words.length; word++) {
    const characters = Array.from(words[word]!);
    const start = starts[word]!;
    lengths[word] = characters.length;
    for (let index = 0; index < characters.length; index++) {
      symbols[start + index] = ids.get(index === 0 ? characters[index]! : prefix + characters[index]!)!;
      if (index > 0) change(symbols[start + index - 1]!, symbols[start + index]!, frequency[word]!, word);
    }
  }
  for (const pair of pairs.values()) push(heap, pair);

  const touched = new Set<PairState>();
  while (tokens.length < vocabularySize) {
    const best = popBest(heap);
    if (best === undefined || best.count < Math.max(1, minFrequency)) break;
    const right = tokens[best.right]!;
    const merged = add(tokens[best.left]! + right.slice(prefix.length));
    touched.clear();
    const holders = best.words;
    best.words = [];
    for (const word of holders) {
      const start = starts[word]!;
      const length = lengths[word]!;
      const times = frequency[word]!;
      let written = 0;
      for (let read = 0; read < length; read++) {
        const symbol = symbols[start + read]!;
        const isPair = symbol === best.left && read + 1 < length && symbols[start + read + 1] === best.right;
        if (!isPair) {
          symbols[start + written++] = symbol;
          continue;
        }
        // The left neighbour is already rewritten, the right one not yet: a run of pairs is corrected as it goes.
        if (written > 0) {
          const before = symbols[start + written - 1]!;
          change(before, best.left, -times, word);
          touched.add(change(before, merged, times, word));
        }
        if (read + 2 < length) {
          const after = symbols[start + read + 2]!;
          change(best.right, after, -times, word);
          touched.add(change(merged, after, times, word));
        }
        symbols[start + written++] = merged;
        read++;
      }
      lengths[word] = written;
    }
    best.count = 0;
    pairs.delete(best.left * PAIR + best.right);
    for (const pair of touched) if (pair.count > 0) push(heap, pair);
    if (tokens.length % PROGRESS_EVERY === 0) onToken?.(tokens.length);
  }
  onToken?.(tokens.length);
  return tokens;
}

/** The most frequent characters, in the order of their code points. */
function alphabetOf(counts: ReadonlyMap<string, number>, limit: number): ReadonlySet<string> {
  const frequency = new Map<string, number>();
  for (const [word, count] of counts) {
    for (const character of word) frequency.set(character, (frequency.get(character) ?? 0) + count);
  }
  const kept = [...frequency].sort(([a, countA], [b, countB]) => countB - countA || byCodePoint(a, b)).slice(0, limit);
  return new Set(kept.map(([character]) => character).sort(byCodePoint));
}

function byCodePoint(a: string, b: string): number {
  return a.codePointAt(0)! - b.codePointAt(0)!;
}

interface PairState {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Words that hold the pair, or held it. */
  words: number[];
}

/** A pair as it was when it entered the heap. */
interface Candidate {
  readonly pair: PairState;
  readonly count: number;
}

function push(heap: Candidate[], pair: PairState): void {
  const candidate = { pair, count: pair.count };
  let index = heap.length;
  heap.push(candidate);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!goesBefore(candidate, heap[parent]!)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = candidate;
}

/** Takes the pair that is the most frequent now. A count that has fallen since is put back, one that has risen stands twice. */
function popBest(heap: Candidate[]): PairState | undefined {
  for (;;) {
    const top = pop(heap);
    if (top === undefined || top.count === top.pair.count) return top?.pair;
    if (top.pair.count > 0 && top.pair.count < top.count) push(heap, top.pair);
  }
}

function pop(heap: Candidate[]): Candidate | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return top;
  let index = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && goesBefore(heap[child + 1]!, heap[child]!)) child++;
    if (!goesBefore(heap[child]!, last)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
  return top;
}

/** The most frequent first; of equals the pair of older pieces. */
function goesBefore(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.pair.left !== b.pair.left ? a.pair.left < b.pair.left : a.pair.right < b.pair.right;
}
