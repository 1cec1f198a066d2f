import { LatheError } from '../../base/index.ts';
import { type AlignedText, alignmentOf, changed, filtered, mapped, prefixed, replaced } from './aligned-text.ts';
import { byteCharactersOf } from './byte-level.ts';
import { CHARACTERS } from './characters.ts';
import { charsmapNormalizer } from './charsmap.ts';
import type { ComponentFile } from './files.ts';
import { type Settings, settingsOf } from './settings.ts';
import { inUnicodeForm, type UnicodeForm } from './unicode-forms.ts';
import { normalizeWithAlignment, type WordRules } from './words.ts';

/** Changes a text before it is cut into words. */
export type Normalizer = (old: AlignedText) => AlignedText;

/** What a `normalizer` of a `tokenizer.json` does. Throws 'unsupported' for a kind that Lathe does not know. */
export function normalizerOf(part: ComponentFile | null | undefined): Normalizer {
  if (part === null || part === undefined) return (old) => old;
  const make = NORMALIZERS[part.type];
  if (make !== undefined) return make(settingsOf(part));
  throw new LatheError('unsupported', `tokenizer.json: the normalizer "${part.type}"`, {
    hint: `Known: ${Object.keys(NORMALIZERS).join(', ')}.`,
  });
}

/** The rules of BERT's normalizer. */
export function bertNormalization(settings: Settings): WordRules {
  const lowercase = settings.boolean('lowercase', true);
  return {
    cleanText: settings.boolean('clean_text', true),
    isolateIdeographs: settings.boolean('handle_chinese_chars', true),
    stripAccents: settings.boolean('strip_accents', lowercase),
    lowercase,
  };
}

const form = (name: UnicodeForm) => (): Normalizer => (old) => inUnicodeForm(old, name);

const NORMALIZERS: Readonly<Record<string, (settings: Settings) => Normalizer>> = {
  NFC: form('NFC'),
  NFD: form('NFD'),
  NFKC: form('NFKC'),
  NFKD: form('NFKD'),
  Lowercase: () => lowercased,
  StripAccents: () => (old) =>
    /\p{M}/u.test(old.text) ? filtered(old, (character) => !/\p{M}/u.test(character)) : old,
  Strip(settings) {
    const left = settings.boolean('strip_left', true);
    const right = settings.boolean('strip_right', true);
    return (old) => stripped(old, left, right);
  },
  Nmt: () => forMachineTranslation,
  Replace(settings) {
    const expression = settings.pattern('pattern');
    const content = settings.text('content');
    return (old) => replaced(old, expression, content);
  },
  Prepend(settings) {
    const prefix = settings.text('prepend');
    return (old) => prefixed(old, prefix);
  },
  Precompiled: (settings) => charsmapNormalizer(settings.text('precompiled_charsmap')),
  ByteLevel: () => (old) => mapped(old, byteCharactersOf),
  BertNormalizer(settings) {
    const rules = bertNormalization(settings);
    return (old) => {
      const { text, alignment: inner } = normalizeWithAlignment(old.text, rules);
      const outer = alignmentOf(old);
      const alignment = inner.map((place, index) => outer[index % 2 === 0 ? place * 2 : place * 2 - 1]!);
      return { text, alignment, start: alignment[0] ?? old.start };
    };
  },
  Sequence(settings) {
    const steps = settings.parts('normalizers').map(normalizerOf);
    return (old) => steps.reduce((text, step) => step(text), old);
  },
};

function lowercased(old: AlignedText): AlignedText {
  const { text } = old;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII, where a letter stays one.
  if (/^[\x00-\x7f]*$/.test(text)) return { ...old, text: text.toLowerCase() };
  // Character by character, as the reference does: a final sigma stays an ordinary one.
  return mapped(old, (character) => character.toLowerCase());
}

function stripped(old: AlignedText, left: boolean, right: boolean): AlignedText {
  const characters = Array.from(old.text);
  const isSpace = (index: number): boolean => CHARACTERS.isWhiteSpace(characters[index]!.codePointAt(0)!);
  let from = 0;
  let to = characters.length;
  if (left) while (from < to && isSpace(from)) from++;
  if (right) while (to > from && isSpace(to - 1)) to--;
  if (from === 0 && to === characters.length) return old;
  const kept = characters.slice(from, to).map((character) => [character, 0] as const);
  return changed(old, kept, from);
}

/** The control characters and spaces of SentencePiece's rules for machine translation. */
function forMachineTranslation(old: AlignedText): AlignedText {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the control characters that it drops.
  const dropped = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/;
  const spaces = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/;
  return mapped(
    filtered(old, (character) => !dropped.test(character)),
    (character) => (spaces.test(character) ? ' ' : character),
  );
}
