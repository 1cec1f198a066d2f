import type { WordPieces } from './word-pieces.ts';

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

/** Makes the function that cuts one normalized word into tokens. */
export function wordPieces(model: WordPieceModel): WordPieces {
  const { vocabulary, unknownId, continuingPrefix = '##', maxCharactersPerWord = 100 } = model;
  const continuing = new Map<string, number>();
  let longest = 0;
  for (const [token, id] of vocabulary) {
    if (token.length > longest) longest = token.length;
    if (token.startsWith(continuingPrefix)) continuing.set(token.slice(continuingPrefix.length), id);
  }

  return (word) => {
    const unknown = (): Int32Array => Int32Array.of(unknownId, 0, word.length);
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
      pieces.push(id, start, end);
      start = end;
    }
    return Int32Array.from(pieces);
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
