import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { LatheError } from '../../base/index.ts';
import { addedTokenReader } from './added-tokens.ts';
import { byteLevelOf, byteLevelOffsets, trimmedOffsets } from './byte-level.ts';
import type { TokenizerConfigFile, TokenizerFile } from './files.ts';
import type { TextTokens, TokenizeText } from './text-tokens.ts';

/** What Lathe's own encoder does not run (BPE, Unigram, other normalizers), on `@huggingface/tokenizers`. */
export interface LibraryTokens {
  readonly tokenize: TokenizeText;
  readonly decode: (ids: number[]) => string;
  readonly offsets: { readonly available: true } | { readonly available: false; readonly reason: string };
}

/** `tokens` are the texts of all ids. */
export function libraryTokens(
  file: TokenizerFile,
  config: TokenizerConfigFile,
  tokens: readonly string[],
): LibraryTokens {
  const byteLevel = byteLevelOf(file);
  const libraryFindsTokens = typeof byteLevel === 'string';
  // The library does not know `single_word`: where Lathe can find added tokens itself, it does.
  const encoder = open(libraryFindsTokens ? file : { ...file, added_tokens: [] }, config);
  let decoder = libraryFindsTokens ? encoder : undefined;
  const encode = (text: string): number[] => encoder.encode(text, { add_special_tokens: false }).ids;
  const decode = (ids: number[]): string => {
    decoder ??= open(file, config);
    return ids.length === 0 ? '' : decoder.decode(ids, { skip_special_tokens: false });
  };
  if (libraryFindsTokens) {
    const tokenize: TokenizeText = (text, limit) => {
      const { ids, more } = firstTokens(encode, text, limit);
      return { ids: Int32Array.from(ids), offsets: undefined, more };
    };
    return { tokenize, decode, offsets: { available: false, reason: byteLevel } };
  }

  // Without a normalizer every added token stands in the raw text.
  const added = (file.added_tokens ?? []).map((token) => ({ ...token, normalized: false }));
  const readAddedTokens = addedTokenReader(added, {
    cleanText: false,
    isolateIdeographs: false,
    stripAccents: false,
    lowercase: false,
  });
  const tokenize: TokenizeText = (text, limit): TextTokens => {
    const ids: number[] = [];
    const offsets: number[] = [];
    let more = false;
    readAddedTokens(text, (from, to, id) => {
      if (ids.length === limit) {
        more = true;
      } else if (id >= 0) {
        offsets.push(...trimmedOffsets(text.slice(from, to), text, from, to, ids.length === 0, byteLevel.trim));
        ids.push(id);
      } else {
        const stretch = firstTokens(encode, text.slice(from, to), limit - ids.length);
        const place = { text, from, to, isFirst: ids.length === 0, isCut: stretch.more };
        const spelled = stretch.ids.map((token) => tokens[token]!);
        for (const offset of byteLevelOffsets(spelled, place, byteLevel)) offsets.push(offset);
        for (const token of stretch.ids) ids.push(token);
        more = stretch.more;
      }
      return more;
    });
    return { ids: Int32Array.from(ids), offsets: Int32Array.from(offsets), more };
  };
  return { tokenize, decode, offsets: { available: true } };
}

function open(file: TokenizerFile, config: TokenizerConfigFile): LibraryTokenizer {
  const { type } = file.model;
  if (type !== undefined && !['WordPiece', 'BPE', 'Unigram'].includes(type)) {
    throw new LatheError('unsupported', `tokenizer.json: a model of type ${type}`, {
      hint: 'Known: WordPiece, BPE, Unigram.',
    });
  }
  // The library insists on parts that a file may leave out.
  const whole = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    ...file,
  };
  try {
    return new LibraryTokenizer(whole, config);
  } catch (cause) {
    throw new LatheError('unsupported', `tokenizer.json: ${(cause as Error).message}`, {
      hint: 'Lathe runs tokenizers of these kinds on @huggingface/tokenizers, which refused this one.',
      cause,
    });
  }
}

// No tokenizer in use makes fewer than one token of eight characters of running text.
const CHARACTERS_PER_TOKEN = 8;
const MARGIN = 32;

/** The first `limit` tokens, from no more text than they need: the library itself always encodes all it is given. */
function firstTokens(
  encode: (text: string) => number[],
  text: string,
  limit: number,
): { readonly ids: number[]; readonly more: boolean } {
  let length = Number.isFinite(limit) ? (limit + MARGIN) * CHARACTERS_PER_TOKEN : text.length;
  for (;;) {
    const end = endOfWord(text, length);
    const ids = encode(text.slice(0, end));
    // The last word before a cut may differ from what the whole text gives: it must lie beyond the limit.
    if (end === text.length || ids.length > limit + MARGIN) {
      return ids.length > limit ? { ids: ids.slice(0, limit), more: true } : { ids, more: false };
    }
    length = end * 2;
  }
}

/** The end of the word that reaches `length`, or the end of the text. */
function endOfWord(text: string, length: number): number {
  if (length >= text.length) return text.length;
  const space = /\s/g;
  space.lastIndex = length;
  return space.exec(text)?.index ?? text.length;
}
