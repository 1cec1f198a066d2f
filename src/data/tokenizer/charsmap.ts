import { LatheError } from '../../base/index.ts';
import { type AlignedText, type Change, changed } from './aligned-text.ts';

/** Gives what stands for the first bytes of a chunk, or undefined. */
type Lookup = (chunk: string) => string | undefined;

/**
 * The normalizer that SentencePiece stores (a Darts double-array trie over UTF-8, then the texts that it points to), as
 * the reference tokenizers apply it: grapheme by grapheme, where the shortest match stands for the whole of a short one.
 */
export function charsmapNormalizer(base64: string): (old: AlignedText) => AlignedText {
  const lookup = charsmap(base64);
  const known = new Map<string, readonly Change[]>();
  const changesOf = (grapheme: string): readonly Change[] => {
    if (UTF8.encode(grapheme).length < LONG_GRAPHEME) {
      const found = lookup(grapheme);
      if (found !== undefined) return replacing(grapheme, found);
    }
    return Array.from(grapheme).flatMap((character) => {
      const found = lookup(character);
      return found === undefined ? [[character, 0] as const] : replacing(character, found);
    });
  };
  return (old) => {
    const changes: Change[] = [];
    for (const grapheme of graphemesOf(old.text)) {
      let found = known.get(grapheme);
      if (found === undefined) {
        found = changesOf(grapheme);
        if (known.size < KNOWN_GRAPHEMES) known.set(grapheme, found);
      }
      for (const change of found) {
        const last = changes.at(-1);
        if (change[0] !== '') changes.push(change);
        else if (last !== undefined) changes[changes.length - 1] = [last[0], last[1] + change[1]];
      }
    }
    return changed(old, changes);
  };
}

const LONG_GRAPHEME = 6;
const KNOWN_GRAPHEMES = 65_536;
const UTF8 = new TextEncoder();
const SEGMENTER = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

// The segmenter takes time with the square of a text's length. So texts are cut first where a character surely begins a
// grapheme: a letter, a digit, a punctuation mark or a pictograph, behind another one that no grapheme begins with.
const BEGINS =
  '[[\\p{L}\\p{N}\\p{P}\\p{Z}\\p{Extended_Pictographic}]--[\\p{Grapheme_Extend}\\u0e33\\u0eb3\\u1100-\\u11ff\\ua960-\\ua97f\\ud7b0-\\ud7ff]]';
// Letters that a grapheme goes on behind are among the Indic ones.
const ENDS = `[${BEGINS}--[\\u0d4e\\u{11000}-\\u{11fff}]]`;
const CUT = new RegExp(`(?<=${ENDS})(?=${BEGINS})`, 'v');

function graphemesOf(text: string): readonly string[] {
  return text
    .split(CUT)
    .flatMap((chunk) => (chunk.length === 1 ? chunk : Array.from(SEGMENTER.segment(chunk), ({ segment }) => segment)));
}

/**
 * What is written beyond the old characters is put in; what is missing goes with the last one written. Where nothing is
 * written, that is the one before: a change without a character.
 */
function replacing(old: string, written: string): readonly Change[] {
  const characters = Array.from(written);
  const more = characters.length - Array.from(old).length;
  if (written === '') return [['', more]];
  return characters.map((character, index): Change => {
    const isLast = index === characters.length - 1;
    return [character, more > 0 ? (index >= characters.length - more ? 1 : 0) : isLast ? more : 0];
  });
}

function charsmap(base64: string): Lookup {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const size = bytes.length < 4 ? Number.NaN : view.getUint32(0, true);
  if (!(size % 4 === 0 && size + 4 <= bytes.length)) {
    throw new LatheError('invalid-data', 'tokenizer.json: the "precompiled_charsmap" is not one of SentencePiece');
  }
  const units = Uint32Array.from({ length: size / 4 }, (_, index) => view.getUint32(4 + index * 4, true));
  const texts = bytes.subarray(4 + size);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
  return (chunk) => {
    let node = offsetOf(units[0]!);
    for (const byte of UTF8.encode(chunk)) {
      if (byte === 0) return undefined;
      node ^= byte;
      const unit = units[node] ?? 0;
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
      node ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 1) {
        const from = units[node]! & 0x7fffffff;
        const end = texts.indexOf(0, from);
        return decoder.decode(texts.subarray(from, end < 0 ? texts.length : end));
      }
    }
    return undefined;
  };
}
