import type { AddedTokenReader } from './added-tokens.ts';
import type { WordPieces } from './wordpiece.ts';
import type { WordReader } from './words.ts';

/** The tokens of one text, without those of the template. */
export interface TextTokens {
  readonly ids: Int32Array;
  /** Pairs (start, end) in UTF-16 units of the text. */
  readonly offsets: Int32Array | undefined;
  /** The text has tokens beyond these. */
  readonly more: boolean;
}

/** Gives the first `limit` tokens of a text; it reads no more of the text than it must to be certain of them. */
export type TokenizeText = (text: string, limit: number) => TextTokens;

/** Joins the parts of a WordPiece encoder. */
export function tokensOfWords(parts: {
  readonly readAddedTokens: AddedTokenReader;
  readonly readWords: WordReader;
  readonly pieces: WordPieces;
}): TokenizeText {
  const { readAddedTokens, readWords, pieces: piecesOf } = parts;
  let ids = new Int32Array(1024);
  let offsets = new Int32Array(2048);
  let count = 0;
  let limit = 0;
  let more = false;

  const reserve = (size: number): void => {
    if (size <= ids.length) return;
    const grownIds = new Int32Array(size * 2);
    const grownOffsets = new Int32Array(size * 4);
    grownIds.set(ids);
    grownOffsets.set(offsets);
    ids = grownIds;
    offsets = grownOffsets;
  };

  const visitWord = (word: string, start: number, _end: number, alignment: Int32Array | undefined): boolean => {
    const pieces = piecesOf(word);
    const size = pieces.length >> 1;
    reserve(count + size);
    let from = 0;
    for (let piece = 0; piece < size; piece++) {
      if (count === limit) {
        more = true;
        return true;
      }
      const to = pieces[piece * 2 + 1]!;
      ids[count] = pieces[piece * 2]!;
      offsets[count * 2] = alignment === undefined ? start + from : alignment[from * 2]!;
      offsets[count * 2 + 1] = alignment === undefined ? start + to : alignment[to * 2 - 1]!;
      count++;
      from = to;
    }
    return false;
  };

  return (text, wanted) => {
    count = 0;
    limit = wanted;
    more = false;
    readAddedTokens(text, (from, to, id) => {
      if (id < 0) {
        readWords(text, from, to, visitWord);
        return more;
      }
      if (count === limit) {
        more = true;
        return true;
      }
      reserve(count + 1);
      ids[count] = id;
      offsets[count * 2] = from;
      offsets[count * 2 + 1] = to;
      count++;
      return false;
    });
    return { ids: ids.slice(0, count), offsets: offsets.slice(0, count * 2), more };
  };
}
