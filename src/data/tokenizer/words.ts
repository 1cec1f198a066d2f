import { CHARACTERS } from './characters.ts';

/** The settings of BERT's normalizer. */
export interface WordRules {
  /** Removes control characters, and NUL. */
  readonly cleanText: boolean;
  /** Makes every CJK ideograph a word of its own. */
  readonly isolateIdeographs: boolean;
  /** Canonical decomposition without nonspacing marks. */
  readonly stripAccents: boolean;
  readonly lowercase: boolean;
}

/**
 * Receives a normalized word; returns true to stop.
 *
 * `start` and `end` are UTF-16 positions in the text. `alignment` holds a pair (start, end) of positions in the text for
 * every UTF-16 unit of `word`; it is undefined where unit i simply stands at `start + i`. It is reused after the call.
 */
export type VisitWord = (word: string, start: number, end: number, alignment: Int32Array | undefined) => boolean;

/** Reads text[from, to) word by word. */
export type WordReader = (text: string, from: number, to: number, visit: VisitWord) => void;

const LETTER = 0;
const UPPER = 1;
const SPACE = 2;
const ISOLATED = 3;
const REMOVED = 4;

interface Character {
  readonly kind: typeof LETTER | typeof SPACE | typeof ISOLATED | typeof REMOVED;
  readonly normalized: string;
}

/**
 * A reader of words as BERT cuts text: split at white space, every punctuation character a word of its own.
 *
 * Equal to `BertNormalizer` followed by `BertPreTokenizer` of the reference tokenizers, but for the order of marks: every
 * character is decomposed by itself, so spacing marks that stand in a non-canonical order (musical notation) stay in it.
 * Lone surrogates count as U+FFFD.
 * It never holds more than one word, so a caller that stops early has not paid for the rest of the text.
 */
export function wordReader(rules: WordRules): WordReader {
  const known = new Map<number, Character>();
  const characterOf = (code: number): Character => {
    let character = known.get(code);
    if (character === undefined) {
      character = classify(code, rules);
      known.set(code, character);
    }
    return character;
  };
  const ascii = new Uint8Array(128);
  for (let code = 0; code < 128; code++) {
    const { kind, normalized } = characterOf(code);
    ascii[code] = kind === LETTER && normalized !== String.fromCharCode(code) ? UPPER : kind;
  }
  let alignment = new Int32Array(512);

  /** Reads one word that needs more than the ASCII table; returns where it ended, or -1 when told to stop. */
  const readAnyWord = (text: string, from: number, to: number, visit: VisitWord): number => {
    let position = from;
    let word = '';
    while (position < to) {
      const code = codePointAt(text, position, to);
      const { kind, normalized } = characterOf(code);
      if (kind === SPACE || kind === ISOLATED) break;
      const next = position + (code > 0xffff ? 2 : 1);
      if (kind === LETTER) {
        const end = word.length + normalized.length;
        if (end * 2 > alignment.length) {
          const grown = new Int32Array(end * 4);
          grown.set(alignment);
          alignment = grown;
        }
        for (let unit = word.length; unit < end; unit++) {
          alignment[unit * 2] = position;
          alignment[unit * 2 + 1] = next;
        }
        word += normalized;
      }
      position = next;
    }
    const stop = word !== '' && visit(word, alignment[0]!, alignment[word.length * 2 - 1]!, alignment);
    return stop ? -1 : position;
  };

  return (text, from, to, visit) => {
    let position = from;
    while (position < to) {
      const code = text.charCodeAt(position);
      const kind = code < 128 ? ascii[code]! : REMOVED;
      if (kind === SPACE) {
        position++;
      } else if (kind === ISOLATED) {
        if (visit(text[position]!, position, position + 1, undefined)) return;
        position++;
      } else if (kind === LETTER || kind === UPPER) {
        let end = position;
        let upper = 0;
        let last = 0;
        while (end < to) {
          const unit = text.charCodeAt(end);
          last = unit < 128 ? ascii[unit]! : REMOVED;
          if (last > UPPER) break;
          upper |= last;
          end++;
        }
        if (end < to && last === REMOVED) {
          end = readAnyWord(text, position, to, visit);
          if (end < 0) return;
        } else {
          const word = text.slice(position, end);
          if (visit(upper === 0 ? word : word.toLowerCase(), position, end, undefined)) return;
        }
        position = end;
      } else {
        const whole = codePointAt(text, position, to);
        const character = characterOf(whole);
        const next = position + (whole > 0xffff ? 2 : 1);
        if (character.kind === ISOLATED) {
          const units = character.normalized.length;
          for (let unit = 0; unit < units; unit++) {
            alignment[unit * 2] = position;
            alignment[unit * 2 + 1] = next;
          }
          if (visit(character.normalized, position, next, alignment)) return;
          position = next;
        } else if (character.kind === LETTER) {
          position = readAnyWord(text, position, to, visit);
          if (position < 0) return;
        } else position = next;
      }
    }
  };
}

/** Text as the rules normalize it, with a pair of positions in the original for every UTF-16 unit. */
export function normalizeWithAlignment(text: string, rules: WordRules): { text: string; alignment: Int32Array } {
  let normalized = '';
  const alignment: number[] = [];
  for (let position = 0; position < text.length; ) {
    const code = codePointAt(text, position, text.length);
    const next = position + (code > 0xffff ? 2 : 1);
    const cleaned = rules.cleanText ? clean(code) : code;
    if (cleaned !== undefined) {
      const isolated = rules.isolateIdeographs && CHARACTERS.isIdeograph(code);
      const piece = normalizeCharacter(cleaned, rules);
      const written = isolated ? ` ${piece} ` : piece;
      for (let unit = 0; unit < written.length; unit++) alignment.push(position, next);
      normalized += written;
    }
    position = next;
  }
  return { text: normalized, alignment: Int32Array.from(alignment) };
}

function classify(code: number, rules: WordRules): Character {
  const cleaned = rules.cleanText ? clean(code) : code;
  if (cleaned === undefined) return { kind: REMOVED, normalized: '' };
  const normalized = normalizeCharacter(cleaned, rules);
  if (normalized === '') return { kind: REMOVED, normalized };
  if (rules.isolateIdeographs && CHARACTERS.isIdeograph(code)) return { kind: ISOLATED, normalized };
  const first = normalized.codePointAt(0)!;
  if (CHARACTERS.isWhiteSpace(first)) return { kind: SPACE, normalized };
  return { kind: CHARACTERS.isPunctuation(first) ? ISOLATED : LETTER, normalized };
}

function clean(code: number): number | undefined {
  if (CHARACTERS.isRemoved(code)) return undefined;
  return CHARACTERS.isWhiteSpace(code) ? 32 : code;
}

function normalizeCharacter(code: number, rules: WordRules): string {
  let text = String.fromCodePoint(code);
  if (rules.stripAccents) {
    text = Array.from(text.normalize('NFD'))
      .filter((piece) => !CHARACTERS.isMark(piece.codePointAt(0)!))
      .join('');
  }
  if (!rules.lowercase) return text;
  // Character by character, as the reference does: a final sigma stays an ordinary one.
  return Array.from(text, (piece) => piece.toLowerCase()).join('');
}

function codePointAt(text: string, position: number, to: number): number {
  const unit = text.charCodeAt(position);
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  const low = position + 1 < to ? text.charCodeAt(position + 1) : 0;
  if (unit < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) return (unit - 0xd800) * 0x400 + (low - 0xdc00) + 0x10000;
  return 0xfffd;
}
