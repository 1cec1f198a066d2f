import { LatheError } from '../../base/index.ts';
import type { Encoding } from './tokenizer.ts';

export interface WindowOptions {
  /** Tokens at most, special tokens included. */
  readonly maxLength: number;
  /** Which text is cut: the only one or the first (0), or the second of a pair (1). */
  readonly over: 0 | 1;
  /** Tokens that a window has in common with the one before it. Default 0. */
  readonly overlap?: number;
}

/** A part of an encoding that a model can read: special tokens and the other text stand in each. */
export interface EncodedWindow extends Encoding {
  /** The places in the window of the tokens of the text that was cut. */
  readonly start: number;
  readonly end: number;
  /** How many tokens of that text come before the window. */
  readonly before: number;
}

/**
 * Cuts one text of an encoding (made without a limit) into windows; the last may be shorter. Throws 'usage' when the
 * special tokens and the other text leave no room, or the overlap takes all of it.
 */
export function windowsOf(encoding: Encoding, { maxLength, over, overlap = 0 }: WindowOptions): EncodedWindow[] {
  const [from, to] = stretch(encoding, over);
  const room = maxLength - (encoding.ids.length - (to - from));
  if (room < 1 || overlap < 0 || overlap >= room) {
    throw new LatheError(
      'usage',
      `windows of ${maxLength} tokens that overlap by ${overlap}: ${Math.max(0, room)} tokens are left for the text`,
      { hint: 'Raise the maximum length, or lower the overlap (stride).' },
    );
  }
  const windows: EncodedWindow[] = [];
  for (let start = from; ; start += room - overlap) {
    const end = Math.min(start + room, to);
    windows.push(windowAt(encoding, from, to, start, end));
    if (end >= to) return windows;
  }
}

function windowAt(encoding: Encoding, from: number, to: number, start: number, end: number): EncodedWindow {
  const join = <T extends Int32Array | Uint8Array | Int8Array>(values: T, width = 1): T => {
    const parts = [
      values.subarray(0, from * width),
      values.subarray(start * width, end * width),
      values.subarray(to * width),
    ];
    const joined = new (values.constructor as new (length: number) => T)(
      parts.reduce((sum, part) => sum + part.length, 0),
    );
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  };
  return {
    ids: join(encoding.ids),
    typeIds: join(encoding.typeIds),
    specialTokensMask: join(encoding.specialTokensMask),
    offsets: join(encoding.offsets, 2),
    texts: join(encoding.texts),
    words: join(encoding.words),
    truncated: false,
    start: from,
    end: from + (end - start),
    before: start - from,
  };
}

/** Where the tokens of a text stand; of an empty one, where they would. */
function stretch({ texts }: Encoding, which: 0 | 1): [number, number] {
  const from = texts.indexOf(which);
  if (from >= 0) return [from, texts.lastIndexOf(which) + 1];
  // Before the last token of the template.
  const last = Math.max(0, texts.length - 1);
  return [last, last];
}
