/** A text with the places in the original text that its characters come from. */
export interface AlignedText {
  readonly text: string;
  /**
   * A pair (start, end) of positions in the original for every UTF-16 unit of `text`; undefined where unit i stands at
   * `start + i`.
   */
  readonly alignment: Int32Array | undefined;
  readonly start: number;
}

/** The text itself. */
export function aligned(text: string, start = 0): AlignedText {
  return { text, alignment: undefined, start };
}

export function sliceAligned({ text, alignment, start }: AlignedText, from: number, to: number): AlignedText {
  return {
    text: text.slice(from, to),
    alignment: alignment?.subarray(from * 2, to * 2),
    start: alignment === undefined ? start + from : (alignment[from * 2] ?? start),
  };
}

/** Where the characters [from, to) of a text begin and end in the original. The range is not empty. */
export function placeOf({ alignment, start }: AlignedText, from: number, to: number): [number, number] {
  return alignment === undefined ? [start + from, start + to] : [alignment[from * 2]!, alignment[to * 2 - 1]!];
}

/**
 * A character of a new text: with change 0 it stands for the next character of the old one, with 1 it is put in beside
 * the one before, with −n it stands for the next one and the n after that.
 */
export type Change = readonly [character: string, change: number];

/**
 * The text that changes make; the first `removed` characters are dropped. As in the reference tokenizers, a character
 * has the place of the one that it stands for, and one put in has the place of the old character before it.
 */
export function changed(old: AlignedText, changes: readonly Change[], removed = 0): AlignedText {
  let unit = 0;
  const step = (): void => {
    unit += old.text.codePointAt(unit)! > 0xffff ? 2 : 1;
  };
  for (let count = 0; count < removed; count++) step();
  let text = '';
  const alignment: number[] = [];
  for (const [character, change] of changes) {
    const [start, end] = change > 0 ? characterBefore(old, unit) : characterAt(old, unit);
    if (change <= 0) for (let count = change; count <= 0; count++) step();
    for (let index = 0; index < character.length; index++) alignment.push(start, end);
    text += character;
  }
  return { text, alignment: Int32Array.from(alignment), start: alignment[0] ?? old.start };
}

/** The text without the characters that `keep` refuses. */
export function filtered(old: AlignedText, keep: (character: string) => boolean): AlignedText {
  const changes: [string, number][] = [];
  let removed = 0;
  for (const character of old.text) {
    if (keep(character)) changes.push([character, 0]);
    else if (changes.length === 0) removed++;
    else changes.at(-1)![1]--;
  }
  return changed(old, changes, removed);
}

/** The text with other characters in the place of each. */
export function mapped(old: AlignedText, map: (character: string) => string): AlignedText {
  const changes: Change[] = [];
  for (const character of old.text) {
    let first = true;
    for (const written of map(character)) {
      changes.push([written, first ? 0 : 1]);
      first = false;
    }
  }
  return changed(old, changes);
}

/** The text with `prefix` before it, which has the place of the first character. An empty text stays so. */
export function prefixed(old: AlignedText, prefix: string): AlignedText {
  if (old.text === '' || prefix === '') return old;
  const units = old.text.length;
  const alignment = new Int32Array((prefix.length + units) * 2);
  const [start, end] = characterAt(old, 0);
  for (let unit = 0; unit < prefix.length; unit++) alignment.set([start, end], unit * 2);
  alignment.set(alignmentOf(old), prefix.length * 2);
  return { text: prefix + old.text, alignment, start };
}

/** The alignment of a text, made where it is the text itself. */
export function alignmentOf(old: AlignedText): Int32Array {
  if (old.alignment !== undefined) return old.alignment;
  const { text, start } = old;
  const alignment = new Int32Array(text.length * 2);
  for (let unit = 0; unit < text.length; ) {
    const size = text.codePointAt(unit)! > 0xffff ? 2 : 1;
    for (let index = 0; index < size; index++) alignment.set([start + unit, start + unit + size], (unit + index) * 2);
    unit += size;
  }
  return alignment;
}

/** The place of the character at a unit. */
function characterAt({ text, alignment, start }: AlignedText, unit: number): [number, number] {
  if (alignment !== undefined) return [alignment[unit * 2]!, alignment[unit * 2 + 1]!];
  return [start + unit, start + unit + (text.codePointAt(unit)! > 0xffff ? 2 : 1)];
}

/** The place of the character before a unit; the beginning where there is none. */
export function characterBefore(old: AlignedText, unit: number): [number, number] {
  if (unit === 0) return [old.start, old.start];
  const isPair = (old.text.charCodeAt(unit - 1) & 0xfc00) === 0xdc00;
  return characterAt(old, isPair ? unit - 2 : unit - 1);
}

/** The text with each match of an expression (global) replaced, at the place of the last character of the match. */
export function replaced(old: AlignedText, expression: RegExp, content: string): AlignedText {
  if (old.text === '') return old;
  let text = '';
  const parts: (Int32Array | readonly number[])[] = [];
  let alignment: Int32Array | undefined;
  let done = 0;
  for (const match of old.text.matchAll(expression)) {
    alignment ??= alignmentOf(old);
    const end = match.index + match[0].length;
    const place = characterBefore(old, end);
    text += old.text.slice(done, match.index) + content;
    parts.push(
      alignment.subarray(done * 2, match.index * 2),
      Array.from(content).flatMap((character) => (character.length === 2 ? [...place, ...place] : place)),
    );
    done = end;
  }
  if (alignment === undefined) return old;
  parts.push(alignment.subarray(done * 2));
  const joined = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return { text: text + old.text.slice(done), alignment: joined, start: joined[0] ?? old.start };
}
