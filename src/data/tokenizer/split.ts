import { type AlignedText, sliceAligned } from './aligned-text.ts';

/** A stretch [from, to) of a text, and whether it is a delimiter. */
export type Stretch = readonly [from: number, to: number, isMatch: boolean];

/** Cuts a text into delimiters and what is between them; nothing is left out. */
export type Delimiters = (text: string) => readonly Stretch[];

/** What becomes of delimiters, as the reference tokenizers name it. */
export const SPLIT_BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type SplitBehavior = (typeof SPLIT_BEHAVIORS)[number];

/** The parts of a text; empty ones are left out. */
export function splitAligned(
  piece: AlignedText,
  delimiters: Delimiters,
  behavior: SplitBehavior,
): readonly AlignedText[] {
  const { text } = piece;
  if (text === '') return [];
  const parts = MERGES[behavior](delimiters(text));
  if (parts.length === 1 && parts[0]![0] === 0 && parts[0]![1] === text.length) return [piece];
  return parts.filter(([from, to]) => to > from).map(([from, to]) => sliceAligned(piece, from, to));
}

const MERGES: Readonly<Record<SplitBehavior, (stretches: readonly Stretch[]) => readonly Stretch[]>> = {
  Removed: (stretches) => stretches.filter(([, , isMatch]) => !isMatch),
  Isolated: (stretches) => stretches,
  Contiguous: (stretches) => merged(stretches, (isMatch, previous) => isMatch === previous),
  MergedWithPrevious: (stretches) => merged(stretches, (isMatch, previous) => isMatch && !previous),
  MergedWithNext: (stretches) =>
    merged([...stretches].reverse(), (isMatch, previous) => isMatch && !previous).reverse(),
};

/** Joins a stretch to the one before it where `joins` says so; before the first is no delimiter. */
function merged(stretches: readonly Stretch[], joins: (isMatch: boolean, previous: boolean) => boolean): Stretch[] {
  const parts: Stretch[] = [];
  let previous = false;
  for (const stretch of stretches) {
    const [from, to, isMatch] = stretch;
    const last = parts.at(-1);
    if (last !== undefined && joins(isMatch, previous)) {
      parts[parts.length - 1] = [Math.min(last[0], from), Math.max(last[1], to), last[2]];
    } else parts.push(stretch);
    previous = isMatch;
  }
  return parts;
}

/** Matches of an expression (global) as delimiters, or what is between them. */
export function expressionDelimiters(expression: RegExp, inverted = false): Delimiters {
  return (text) => {
    const stretches: Stretch[] = [];
    let done = 0;
    for (const match of text.matchAll(expression)) {
      const end = match.index + match[0].length;
      if (match.index > done) stretches.push([done, match.index, inverted]);
      stretches.push([match.index, end, !inverted]);
      done = end;
    }
    if (done < text.length) stretches.push([done, text.length, inverted]);
    return stretches;
  };
}

/** Characters of a kind as delimiters, each by itself. */
export function characterDelimiters(isDelimiter: (code: number) => boolean): Delimiters {
  return (text) => {
    const stretches: Stretch[] = [];
    let done = 0;
    for (let unit = 0; unit < text.length; ) {
      const code = text.codePointAt(unit)!;
      const next = unit + (code > 0xffff ? 2 : 1);
      if (isDelimiter(code)) {
        if (unit > done) stretches.push([done, unit, false]);
        stretches.push([unit, next, true]);
        done = next;
      }
      unit = next;
    }
    if (done < text.length) stretches.push([done, text.length, false]);
    return stretches;
  };
}
