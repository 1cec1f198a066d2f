import { LatheError } from '../../base/index.ts';
import type { TextTokens, TokenizeText } from './text-tokens.ts';

/** Which text of a pair gives way when both do not fit, as Hugging Face names it. */
export type Truncation = 'longest_first' | 'only_first' | 'only_second';

/**
 * Tokenizes one text or two so that they fit `room` tokens together, as the reference tokenizers cut them.
 *
 * A text is read only as far as the result depends on it. Throws `usage` when the text that may be cut is too short to
 * make room.
 */
export function truncate(
  tokenize: TokenizeText,
  text: string,
  pair: string | undefined,
  room: number,
  truncation: Truncation,
  side: 'right' | 'left',
): [TextTokens, TextTokens | undefined] {
  const enough = side === 'left' ? Number.POSITIVE_INFINITY : room;
  let first = tokenize(text, enough);
  if (pair === undefined) {
    if (truncation === 'only_second' && room > 0 && (first.more || first.ids.length > room)) {
      throw new LatheError('usage', 'truncation "only_second": there is no second text');
    }
    return [cut(first, room, side), undefined];
  }
  let second = tokenize(pair, enough);
  const lengthOf = (tokens: TextTokens): number => tokens.ids.length + (tokens.more ? 1 : 0);
  if (lengthOf(first) + lengthOf(second) <= room) return [first, second];

  if (truncation === 'longest_first' || room === 0) {
    // Who gets the odd token depends on which text is longer, so here their lengths must be known.
    if (first.more && second.more && room % 2 === 1) {
      first = tokenize(text, Number.POSITIVE_INFINITY);
      second = tokenize(pair, Number.POSITIVE_INFINITY);
    }
    const [firstLength, secondLength] = shares(lengthOf(first), lengthOf(second), room);
    return [cut(first, firstLength, side), cut(second, secondLength, side)];
  }
  const [given, kept] = truncation === 'only_first' ? [first, second] : [second, first];
  const left = room - lengthOf(kept);
  if (left <= 0) {
    throw new LatheError(
      'usage',
      `truncation "${truncation}": the other text alone fills the ${room} tokens there are room for`,
      { hint: 'Raise maxLength, or use truncation "longest_first".' },
    );
  }
  const shortened = cut(given, left, side);
  return truncation === 'only_first' ? [shortened, second] : [first, shortened];
}

function shares(first: number, second: number, room: number): [number, number] {
  const swapped = first > second;
  let short = swapped ? second : first;
  let long = short > room ? short : Math.max(short, room - short);
  if (short + long > room) {
    short = Math.floor(room / 2);
    long = short + (room % 2);
  }
  return swapped ? [long, short] : [short, long];
}

function cut(tokens: TextTokens, length: number, side: 'right' | 'left'): TextTokens {
  const { ids, offsets, words } = tokens;
  if (ids.length <= length) return tokens;
  const start = side === 'left' ? ids.length - length : 0;
  return {
    ids: ids.slice(start, start + length),
    offsets: offsets.slice(start * 2, (start + length) * 2),
    words: words.slice(start, start + length),
    more: true,
  };
}
