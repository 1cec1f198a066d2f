import type { AddedTokenReader, AddedTokenReaders } from './added-tokens.ts';
import { aligned, placeOf, sliceAligned } from './aligned-text.ts';
import { type OffsetTrimming, trimmedOffsets } from './byte-level.ts';
import type { Normalizer } from './normalizers.ts';
import type { PreTokenizer } from './pre-tokenizers.ts';
import type { WordPieces } from './word-pieces.ts';
import type { WordReader } from './words.ts';

/** The tokens of one text, without those of the template. */
export interface TextTokens {
  readonly ids: Int32Array;
  /** Pairs (start, end) in UTF-16 units of the text. */
  readonly offsets: Int32Array;
  /** The word that each token is of: words and added tokens are counted from 0. */
  readonly words: Int32Array;
  /** The text has tokens beyond these. */
  readonly more: boolean;
}

/** Gives the first `limit` tokens of a text; where it can, it reads no more of the text than it must to be certain of them. */
export type TokenizeText = (text: string, limit: number) => TextTokens;

/** Joins the parts of BERT's encoder, which reads a text word by word. */
export function tokensOfWords(parts: {
  readonly readAddedTokens: AddedTokenReader;
  readonly readWords: WordReader;
  readonly pieces: WordPieces;
}): TokenizeText {
  const { readAddedTokens, readWords, pieces: piecesOf } = parts;
  const sink = tokenSink();
  let word = 0;

  const visitWord = (text: string, start: number, _end: number, alignment: Int32Array | undefined): boolean => {
    const pieces = piecesOf(text);
    for (let at = 0; at < pieces.length; at += 3) {
      const [from, to] = [pieces[at + 1]!, pieces[at + 2]!];
      const first = alignment === undefined ? start + from : alignment[from * 2]!;
      const last = alignment === undefined ? start + to : alignment[to * 2 - 1]!;
      if (sink.add(pieces[at]!, first, last, word)) return true;
    }
    word++;
    return false;
  };

  return (text, limit) => {
    sink.start(limit);
    word = 0;
    readAddedTokens(text, (from, to, id) => {
      if (id >= 0) return sink.add(id, from, to, word++);
      readWords(text, from, to, visitWord);
      return sink.isFull();
    });
    return sink.take();
  };
}

/** Joins the parts that a `tokenizer.json` names: added tokens, a normalizer, a pre-tokenizer, a model. */
export function tokensOfParts(parts: {
  readonly addedTokens: AddedTokenReaders;
  readonly normalize: Normalizer;
  readonly preTokenize: PreTokenizer;
  readonly pieces: WordPieces;
  /** The texts of all ids. */
  readonly tokens: readonly string[];
  readonly trimming: OffsetTrimming | undefined;
}): TokenizeText {
  const { addedTokens, normalize, preTokenize, pieces: piecesOf, tokens, trimming } = parts;
  const sink = tokenSink();
  return (given, limit) => {
    const text = given.replace(/\p{Surrogate}/gu, '\ufffd');
    sink.start(limit);
    let word = 0;
    const add = (id: number, token: string, place: [number, number]): boolean => {
      const [start, end] =
        trimming === undefined ? place : trimmedOffsets(token, text, place, sink.size() === 0, trimming);
      return sink.add(id, start, end, word);
    };
    addedTokens.raw(text, (from, to, id) => {
      if (id >= 0) {
        const full = add(id, text.slice(from, to), [from, to]);
        word++;
        return full;
      }
      const piece = normalize(aligned(text.slice(from, to), from));
      addedTokens.normalized(piece.text, (start, end, normalizedId) => {
        if (normalizedId >= 0) {
          const full = add(normalizedId, piece.text.slice(start, end), placeOf(piece, start, end));
          word++;
          return full;
        }
        for (const part of preTokenize(sliceAligned(piece, start, end))) {
          const pieces = piecesOf(part.text);
          for (let at = 0; at < pieces.length; at += 3) {
            if (add(pieces[at]!, tokens[pieces[at]!]!, placeOf(part, pieces[at + 1]!, pieces[at + 2]!))) return true;
          }
          word++;
        }
        return false;
      });
      return sink.isFull();
    });
    return sink.take();
  };
}

/** Where tokens are gathered, in memory that is used again. */
interface TokenSink {
  start(limit: number): void;
  /** Returns true, and leaves the token out, when there are as many as wanted. */
  add(id: number, start: number, end: number, word: number): boolean;
  size(): number;
  /** A token was left out. */
  isFull(): boolean;
  take(): TextTokens;
}

function tokenSink(): TokenSink {
  // Four numbers a token: id, start, end, word.
  let values = new Int32Array(4096);
  let count = 0;
  let limit = 0;
  let more = false;
  return {
    start(wanted) {
      count = 0;
      limit = wanted;
      more = false;
    },
    add(id, start, end, word) {
      if (count === limit) {
        more = true;
        return true;
      }
      const at = count * 4;
      if (at === values.length) {
        const grown = new Int32Array(values.length * 2);
        grown.set(values);
        values = grown;
      }
      values[at] = id;
      values[at + 1] = start;
      values[at + 2] = end;
      values[at + 3] = word;
      count++;
      return false;
    },
    size: () => count,
    isFull: () => more,
    take() {
      const ids = new Int32Array(count);
      const offsets = new Int32Array(count * 2);
      const words = new Int32Array(count);
      for (let index = 0; index < count; index++) {
        ids[index] = values[index * 4]!;
        offsets[index * 2] = values[index * 4 + 1]!;
        offsets[index * 2 + 1] = values[index * 4 + 2]!;
        words[index] = values[index * 4 + 3]!;
      }
      return { ids, offsets, words, more };
    },
  };
}
