import { LatheError } from '../../base/index.ts';
import { type AlignedText, mapped, placeOf, prefixed, replaced } from './aligned-text.ts';
import { byteCharactersOf } from './byte-level.ts';
import { CHARACTERS } from './characters.ts';
import type { ComponentFile } from './files.ts';
import { literalExpression, regularExpression } from './regular-expression.ts';
import { type Settings, settingsOf } from './settings.ts';
import { characterDelimiters, type Delimiters, expressionDelimiters, SPLIT_BEHAVIORS, splitAligned } from './split.ts';

/** Cuts a piece of text into words. */
export type PreTokenizer = (piece: AlignedText) => readonly AlignedText[];

/** What a `pre_tokenizer` of a `tokenizer.json` does. Throws 'unsupported' for a kind that Lathe does not know. */
export function preTokenizerOf(part: ComponentFile | null | undefined): PreTokenizer {
  if (part === null || part === undefined) return (piece) => [piece];
  const make = PRE_TOKENIZERS[part.type];
  if (make !== undefined) return make(settingsOf(part));
  throw new LatheError('unsupported', `tokenizer.json: the pre-tokenizer "${part.type}"`, {
    hint: `Known: ${Object.keys(PRE_TOKENIZERS).join(', ')}.`,
  });
}

const whiteSpace = characterDelimiters(CHARACTERS.isWhiteSpace);
const punctuation = characterDelimiters(CHARACTERS.isPunctuation);
const numeric = characterDelimiters((code) => /\p{N}/u.test(String.fromCodePoint(code)));

const PRE_TOKENIZERS: Readonly<Record<string, (settings: Settings) => PreTokenizer>> = {
  BertPreTokenizer: () => (piece) =>
    splitAligned(piece, whiteSpace, 'Removed').flatMap((word) => splitAligned(word, punctuation, 'Isolated')),
  WhitespaceSplit: () => (piece) => splitAligned(piece, whiteSpace, 'Removed'),
  Whitespace() {
    const word = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
    const expression = new RegExp(`${word}+|[^${word}\\p{White_Space}]+`, 'gv');
    return (piece) => splitAligned(piece, expressionDelimiters(expression, true), 'Removed');
  },
  Punctuation(settings) {
    const behavior = settings.one('behavior', SPLIT_BEHAVIORS, 'Isolated');
    return (piece) => splitAligned(piece, punctuation, behavior);
  },
  Digits(settings) {
    const behavior = settings.boolean('individual_digits', false) ? 'Isolated' : 'Contiguous';
    return (piece) => splitAligned(piece, numeric, behavior);
  },
  Split(settings) {
    const behavior = settings.one('behavior', SPLIT_BEHAVIORS);
    const delimiters = expressionDelimiters(settings.pattern('pattern'), settings.boolean('invert', false));
    return (piece) => splitAligned(piece, delimiters, behavior);
  },
  CharDelimiterSplit(settings) {
    const delimiters: Delimiters = expressionDelimiters(literalExpression(settings.text('delimiter')));
    return (piece) => splitAligned(piece, delimiters, 'Removed');
  },
  ByteLevel(settings) {
    const addsSpace = settings.boolean('add_prefix_space', true);
    const delimiters = settings.boolean('use_regex', true) ? expressionDelimiters(GPT2_WORDS) : undefined;
    return (piece) => {
      const spaced = addsSpace && !piece.text.startsWith(' ') ? prefixed(piece, ' ') : piece;
      return (delimiters === undefined ? [spaced] : splitAligned(spaced, delimiters, 'Isolated')).map(spelledInBytes);
    };
  },
  Metaspace(settings) {
    const replacement = settings.text('replacement', '▁');
    const addsSpace = settings.boolean('add_prefix_space', true);
    const scheme = addsSpace ? settings.one('prepend_scheme', ['always', 'first', 'never'], 'always') : 'never';
    const splits = settings.boolean('split', true);
    const delimiters = expressionDelimiters(literalExpression(replacement));
    return (piece) => {
      let text = replaced(piece, / /g, replacement);
      const isBeginning = text.text !== '' && placeOf(text, 0, 1)[0] === 0;
      if ((scheme === 'always' || (scheme === 'first' && isBeginning)) && !text.text.startsWith(replacement)) {
        text = prefixed(text, replacement);
      }
      return splits ? splitAligned(text, delimiters, 'MergedWithNext') : [text];
    };
  },
  Sequence(settings) {
    const steps = settings.parts('pretokenizers').map(preTokenizerOf);
    return (piece) =>
      steps.reduce<readonly AlignedText[]>(
        (pieces, step) => pieces.flatMap((part) => step(part).filter(({ text }) => text !== '')),
        [piece],
      );
  },
};

const GPT2_WORDS = regularExpression(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
);

/** The text with a character for each byte. */
function spelledInBytes(piece: AlignedText): AlignedText {
  const { text } = piece;
  // A word of ASCII has as many bytes as units, in the same places.
  if (/^[!-~]*$/.test(text)) return piece;
  if (/^[ -~]*$/.test(text)) return { ...piece, text: text.replaceAll(' ', byteCharactersOf(' ')) };
  return mapped(piece, byteCharactersOf);
}
