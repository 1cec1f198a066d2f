import { deriveSeed, LatheError, random } from '../../base/index.ts';
import type { Tokenizer } from '../../data/index.ts';
import type { NearestWords } from './nearest-words.ts';

export interface AugmentOptions {
  /** Copies of each text. */
  readonly copies: number;
  /** How likely a word is replaced; default 0.4. */
  readonly probability?: number;
  /** Tokens of a text that are read; what is behind them is left out of the copies. */
  readonly maxLength: number;
  readonly seed: number;
}

/**
 * Copies of texts in which whole words are replaced by random ones of those nearest to them (TinyBERT; Jiao et al., 2020), copy
 * by copy for each text. A copy depends on the seed, the place of its text and its number alone. Words of several tokens, numbers
 * and signs stay. Throws 'usage' for options out of range.
 */
export function augmentTexts(
  tokenizer: Pick<Tokenizer, 'encode' | 'idToToken'>,
  texts: readonly string[],
  nearest: NearestWords,
  options: AugmentOptions,
): string[] {
  const { copies, probability = 0.4, maxLength, seed } = options;
  if (!(Number.isInteger(copies) && copies >= 1)) {
    throw new LatheError('usage', `copies of a text: expected a whole number above 0, got ${copies}`);
  }
  if (!(probability >= 0 && probability <= 1)) {
    throw new LatheError('usage', `probability of replacing a word: expected 0 to 1, got ${probability}`);
  }
  return texts.flatMap((text, at) => {
    const { words, end } = replaceable(tokenizer, text, nearest, maxLength);
    return Array.from({ length: copies }, (_, copy) => {
      const source = random(deriveSeed(seed, 'augment', at, copy));
      let made = '';
      let done = 0;
      for (const { start, end: stop, near } of words) {
        if (source.uniform() >= probability) continue;
        made += text.slice(done, start) + tokenizer.idToToken(near[source.integer(near.length)]!)!;
        done = stop;
      }
      return made + text.slice(done, end);
    });
  });
}

interface Word {
  readonly start: number;
  readonly end: number;
  readonly near: Int32Array;
}

/** The words of one token that others are near to, and where the part of a text that is read ends. */
function replaceable(
  tokenizer: Pick<Tokenizer, 'encode'>,
  text: string,
  nearest: NearestWords,
  maxLength: number,
): { readonly words: readonly Word[]; readonly end: number } {
  const { ids, offsets, words: wordOf, truncated } = tokenizer.encode(text, { maxLength });
  const words: Word[] = [];
  let end = 0;
  for (let token = 0; token < ids.length; token++) {
    const word = wordOf[token]!;
    if (word < 0) continue;
    const [start, stop] = [offsets[2 * token]!, offsets[2 * token + 1]!];
    end = Math.max(end, stop);
    const near = nearest.get(ids[token]!);
    if (near === undefined || wordOf[token - 1] === word || wordOf[token + 1] === word) continue;
    words.push({ start, end: stop, near });
  }
  return { words, end: truncated ? end : text.length };
}
