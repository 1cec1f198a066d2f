/**
 * The tokens of one word: triples (id, start, end) of places in UTF-16 units of the word. Several tokens that spell the
 * bytes of one character have its place.
 */
export type WordPieces = (word: string) => Int32Array;

const CACHED_WORDS = 65_536;
const CACHED_LENGTH = 40;

/** The same, with frequent words remembered. */
export function remembered(pieces: WordPieces): WordPieces {
  let cache = new Map<string, Int32Array>();
  return (word) => {
    if (word.length > CACHED_LENGTH) return pieces(word);
    let found = cache.get(word);
    if (found === undefined) {
      found = pieces(word);
      if (cache.size >= CACHED_WORDS) cache = new Map();
      cache.set(word, found);
    }
    return found;
  };
}
