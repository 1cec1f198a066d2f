import { MARKS, PUNCTUATION, REMOVED, WHITE_SPACE } from './generated/character-classes.ts';

/** What a code point is to the reference tokenizers (`tokenizers` 0.23), whatever Unicode version the engine has. */
export interface CharacterClasses {
  /** NUL, U+FFFD and the Cc, Cf and Co categories, without tab, line feed and carriage return. */
  readonly isRemoved: (code: number) => boolean;
  /** Nonspacing marks (Mn). */
  readonly isMark: (code: number) => boolean;
  /** ASCII punctuation and the P category. */
  readonly isPunctuation: (code: number) => boolean;
  readonly isWhiteSpace: (code: number) => boolean;
  /** The CJK ideograph blocks as the reference lists them. */
  readonly isIdeograph: (code: number) => boolean;
}

// 2B820-2B91F is left out by the reference, which lists U+2B920 for BERT's U+2B820.
const IDEOGRAPHS = Int32Array.of(
  ...[0x3400, 0x4dc0, 0x4e00, 0xa000, 0xf900, 0xfb00, 0x20000, 0x2a6e0],
  ...[0x2a700, 0x2b820, 0x2b920, 0x2ceb0, 0x2f800, 0x2fa20],
);

export const CHARACTERS: CharacterClasses = {
  isRemoved: member(bounds(REMOVED)),
  isMark: member(bounds(MARKS)),
  isPunctuation: member(bounds(PUNCTUATION)),
  isWhiteSpace: member(bounds(WHITE_SPACE)),
  isIdeograph: member(IDEOGRAPHS),
};

/** Turns run lengths into the sorted code points where membership changes. */
function bounds(runs: string): Int32Array {
  let position = 0;
  return Int32Array.from(runs.split(' '), (run) => {
    position += Number.parseInt(run, 36);
    return position;
  });
}

function member(changes: Int32Array): (code: number) => boolean {
  return (code) => {
    let low = 0;
    let high = changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (changes[middle]! <= code) low = middle + 1;
      else high = middle;
    }
    return (low & 1) === 1;
  };
}
