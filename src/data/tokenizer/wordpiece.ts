/** A WordPiece vocabulary: greedy longest match from the left, whole word unknown when any part has no match. */
export interface WordPieceModel {
  /** Tokens by text; pieces inside a word carry `continuingPrefix`. */
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknownId: number;
  /** Default `##`. */
  readonly continuingPrefix?: string;
  /** Longer words, in code points, are unknown. Default 100. */
  readonly maxCharactersPerWord?: number;
}

/** The tokens of one word: pairs (id, end), the end in UTF-16 units of the word. */
export type WordPieces = (word: string) => Int32Array;

const CACHED_WORDS = 65_536;
const CACHED_LENGTH = 40;

/** Makes the function that cuts one normalized word into tokens; frequent words are remembered. */
export function wordPieces(model: WordPieceModel): WordPieces {
  const { vocabulary, unknownId, continuingPrefix = '##', maxCharactersPerWord = 100 } = model;
  const continuing = new Map<string, number>();
  let longest = 0;
  for (const [token, id] of vocabulary) {
    if (token.length > longest) longest = token.length;
    if (token.startsWith(continuingPrefix)) continuing.set(token.slice(continuingPrefix.length), id);
  }

  const split = (word: string): Int32Array => {
    const unknown = (): Int32Array => Int32Array.of(unknownId, word.length);
    if (word.length > maxCharactersPerWord && longerThan(word, maxCharactersPerWord)) return unknown();
    const pieces: number[] = [];
    let start = 0;
    while (start < word.length) {
      const from = start === 0 ? vocabulary : continuing;
      let end = Math.min(word.length, start + longest);
      let id: number | undefined;
      while (end > start) {
        id = from.get(word.slice(start, end));
        if (id !== undefined) break;
        end--;
      }
      if (id === undefined) return unknown();
      pieces.push(id, end);
      start = end;
    }
    return Int32Array.from(pieces);
  };

  let cache = new Map<string, Int32Array>();
  return (word) => {
    if (word.length > CACHED_LENGTH) return split(word);
    let pieces = cache.get(word);
    if (pieces === undefined) {
      pieces = split(word);
      if (cache.size >= CACHED_WORDS) cache = new Map();
      cache.set(word, pieces);
    }
    return pieces;
  };
}

function longerThan(word: string, characters: number): boolean {
  let count = 0;
  for (let unit = 0; unit < word.length; unit++) {
    const code = word.charCodeAt(unit);
    // The second half of a pair is no character of its own.
    if ((code & 0xfc00) === 0xdc00) continue;
    if (++count > characters) return true;
  }
  return false;
}
