import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import type { TokenizerConfigFile, TokenizerFile } from './files.ts';
import type { TokenizeText } from './text-tokens.ts';

/** What Lathe's own encoder does not run (BPE, Unigram, other normalizers), on `@huggingface/tokenizers`. */
export interface LibraryTokens {
  readonly tokenize: TokenizeText;
  readonly decode: (ids: number[]) => string;
  readonly offsets: { readonly available: false; readonly reason: string };
}

// No tokenizer in use makes fewer than one token of eight characters of running text.
const CHARACTERS_PER_TOKEN = 8;

export function libraryTokens(file: TokenizerFile, config: TokenizerConfigFile): LibraryTokens {
  const tokenizer = new LibraryTokenizer(file, config);
  const idsOf = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids;
  return {
    tokenize(text, limit) {
      let length = Number.isFinite(limit) ? (limit + 1) * CHARACTERS_PER_TOKEN : text.length;
      for (;;) {
        const end = endAtSpace(text, length);
        const ids = idsOf(text.slice(0, end));
        // The last word before a cut may differ from what the whole text gives: it must lie beyond the limit.
        if (end < text.length && ids.length <= limit + MARGIN) {
          length = end * 2;
          continue;
        }
        const more = ids.length > limit;
        return { ids: Int32Array.from(more ? ids.slice(0, limit) : ids), offsets: undefined, more };
      }
    },
    decode: (ids) => tokenizer.decode(ids, { skip_special_tokens: false }),
    offsets: {
      available: false,
      reason: `a ${file.model.type ?? 'model without type'} tokenizer runs on a library that gives no offsets`,
    },
  };
}

const MARGIN = 32;

/** The end of the word that reaches `length`, or the end of the text. */
function endAtSpace(text: string, length: number): number {
  if (length >= text.length) return text.length;
  const space = /\s/g;
  space.lastIndex = length;
  return space.exec(text)?.index ?? text.length;
}
