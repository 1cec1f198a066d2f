import { LatheError } from '../../base/index.ts';
import { addedTokenReader, addedTokenReaders } from './added-tokens.ts';
import { aligned } from './aligned-text.ts';
import { trimmingOf } from './byte-level.ts';
import { decoderOf } from './decoding.ts';
import { readTokenizerFile, type TokenizerConfigFile, type TokenizerFile } from './files.ts';
import { modelOf } from './models.ts';
import { bertNormalization, normalizerOf } from './normalizers.ts';
import { preTokenizerOf } from './pre-tokenizers.ts';
import { settingsOf } from './settings.ts';
import { addedBy, type Template, type TemplatePiece, templateOf } from './template.ts';
import { type TextTokens, type TokenizeText, tokensOfParts, tokensOfWords } from './text-tokens.ts';
import { type Truncation, truncate } from './truncation.ts';
import { type WordRules, wordReader } from './words.ts';

export interface EncodeOptions {
  /** The second text of a pair. */
  readonly pair?: string;
  /** Tokens at most, special tokens included. Without it nothing is cut. */
  readonly maxLength?: number;
  /** Which text of a pair gives way. Default `longest_first`. */
  readonly truncation?: Truncation;
  /** Which end of a text is lost. Default: `truncation_side` of the configuration, else `right`. */
  readonly truncationSide?: 'right' | 'left';
  /** Default true. */
  readonly addSpecialTokens?: boolean;
}

export interface Encoding {
  readonly ids: Int32Array;
  /** 0 for the first text, 1 for the second, as the tokenizer's template says. */
  readonly typeIds: Uint8Array;
  /** 1 where the template put a token. */
  readonly specialTokensMask: Uint8Array;
  /**
   * A pair (start, end) a token: positions in the original text, or in `pair` for tokens of the second, in UTF-16 units
   * (what `slice` takes), end exclusive. (0, 0) for tokens of the template.
   */
  readonly offsets: Int32Array;
  /** The text that each token is of: 0 or 1, −1 for tokens of the template. */
  readonly texts: Int8Array;
  /** The word of its text that each token is of, as the pre-tokenizer cuts words; −1 for tokens of the template. */
  readonly words: Int32Array;
  /** Tokens were lost to `maxLength`. */
  readonly truncated: boolean;
}

export interface DecodeOptions {
  /** Default true. */
  readonly skipSpecialTokens?: boolean;
}

/** Text to token ids and back. */
export interface Tokenizer {
  /** Throws `usage` when `maxLength` has no room for the special tokens or for the text that must stay whole. */
  encode(text: string, options?: EncodeOptions): Encoding;
  decode(ids: ArrayLike<number | bigint>, options?: DecodeOptions): string;
  /** Number of ids, added tokens included. */
  readonly vocabularySize: number;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  readonly paddingId: number | undefined;
  readonly unknownId: number | undefined;
  /** What hides a token from a masked language model. */
  readonly maskId: number | undefined;
  /** Ids that `decode` skips. */
  readonly specialIds: ReadonlySet<number>;
}

/**
 * Makes a tokenizer from a `tokenizer.json` (its text or its parsed content) and a `tokenizer_config.json`.
 *
 * Ids and offsets equal those of the reference tokenizers (Python `tokenizers` 0.23). Lone surrogates count as U+FFFD.
 * Throws 'unsupported' for a part that Lathe does not know, by its name.
 */
export function loadTokenizer(tokenizerFile: string | object, configFile: TokenizerConfigFile = {}): Tokenizer {
  const file = readTokenizerFile(tokenizerFile);
  const rules = bertRules(file);
  const normalize = normalizerOf(file.normalizer);
  const template = templateOf(file.post_processor);
  const added = file.added_tokens ?? [];
  const vocabulary = vocabularyOf(file);
  for (const token of added) vocabulary.set(token.content, token.id);
  const tokens: string[] = [];
  for (const [token, id] of vocabulary) tokens[id] = token;
  const normalizedContent = (content: string): string => normalize(aligned(content)).text;
  // As in the reference, a token that is found in normalized text also reads as normalized.
  for (const token of added) if (token.normalized) tokens[token.id] = normalizedContent(token.content);
  const specialIds = new Set(added.filter((token) => token.special).map((token) => token.id));
  const idNamed = (name: string): number | undefined => {
    const value = configFile[name];
    const content = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    return typeof content === 'string' ? vocabulary.get(content) : undefined;
  };
  const paddingId =
    idNamed('pad_token') ?? file.padding?.pad_id ?? vocabulary.get('[PAD]') ?? vocabulary.get('<pad>') ?? undefined;
  const unknownName = file.model.unk_token;
  const unknownId =
    typeof unknownName === 'string' ? vocabulary.get(unknownName) : (idNamed('unk_token') ?? vocabulary.get('<unk>'));

  const pieces = modelOf(file.model, vocabularyOf(file));
  const tokenize: TokenizeText =
    rules !== undefined
      ? tokensOfWords({ readAddedTokens: addedTokenReader(added, rules), readWords: wordReader(rules), pieces })
      : tokensOfParts({
          addedTokens: addedTokenReaders(added, normalizedContent),
          normalize,
          preTokenize: preTokenizerOf(file.pre_tokenizer),
          pieces,
          tokens,
          trimming: trimmingOf(file),
        });
  const decode = decoderOf(file, configFile, tokens);
  const defaultSide = configFile.truncation_side === 'left' ? 'left' : 'right';

  return {
    encode(text, options = {}) {
      const { pair, maxLength, truncation = 'longest_first', truncationSide = defaultSide } = options;
      const pieces =
        options.addSpecialTokens === false ? bare(template, pair) : template[pair === undefined ? 'single' : 'pair'];
      const room = maxLength === undefined ? Number.POSITIVE_INFINITY : roomFor(maxLength, pieces);
      const [first, second] = truncate(tokenize, text, pair, room, truncation, truncationSide);
      return assemble(pieces, first, second);
    },
    decode(ids, { skipSpecialTokens = true } = {}) {
      const kept: number[] = [];
      for (let index = 0; index < ids.length; index++) {
        const id = Number(ids[index]);
        if (!(skipSpecialTokens && specialIds.has(id)) && tokens[id] !== undefined) kept.push(id);
      }
      return decode(kept);
    },
    vocabularySize: tokens.length,
    tokenToId: (token) => vocabulary.get(token),
    idToToken: (id) => tokens[id],
    paddingId,
    unknownId,
    maskId: idNamed('mask_token') ?? vocabulary.get('[MASK]') ?? vocabulary.get('<mask>'),
    specialIds,
  };
}

/** The rules of a text that is read word by word: BERT's normalizer and pre-tokenizer, and offsets as they are. */
function bertRules(file: TokenizerFile): WordRules | undefined {
  const { normalizer, pre_tokenizer: preTokenizer } = file;
  if (normalizer?.type !== 'BertNormalizer' || preTokenizer?.type !== 'BertPreTokenizer') return undefined;
  return trimmingOf(file) === undefined ? bertNormalization(settingsOf(normalizer)) : undefined;
}

function vocabularyOf(file: TokenizerFile): Map<string, number> {
  const { vocab } = file.model;
  if (Array.isArray(vocab)) return new Map(vocab.map(([token], id): [string, number] => [token, id]));
  return new Map(Object.entries(vocab as Readonly<Record<string, number>>));
}

function bare(template: Template, pair: string | undefined): readonly TemplatePiece[] {
  if (pair === undefined) return [{ kind: 'text', which: 0, typeId: 0 }];
  return template.pair
    .filter((piece) => piece.kind === 'text')
    .map((piece) => ({ kind: 'text', which: piece.which, typeId: piece.which }));
}

function roomFor(maxLength: number, pieces: readonly TemplatePiece[]): number {
  const special = addedBy(pieces);
  if (!Number.isInteger(maxLength) || maxLength < special) {
    throw new LatheError('usage', `maxLength: expected an integer of at least ${special}, got ${maxLength}`, {
      hint: `The tokenizer adds ${special} special tokens.`,
    });
  }
  return maxLength - special;
}

function assemble(pieces: readonly TemplatePiece[], first: TextTokens, second: TextTokens | undefined): Encoding {
  let length = 0;
  const runOf = (which: 0 | 1): TextTokens => (which === 0 ? first : second!);
  for (const piece of pieces) length += piece.kind === 'special' ? piece.ids.length : runOf(piece.which).ids.length;
  const ids = new Int32Array(length);
  const typeIds = new Uint8Array(length);
  const specialTokensMask = new Uint8Array(length);
  const offsets = new Int32Array(length * 2);
  const texts = new Int8Array(length).fill(-1);
  const words = new Int32Array(length).fill(-1);
  let position = 0;
  for (const piece of pieces) {
    const start = position;
    if (piece.kind === 'special') {
      ids.set(piece.ids, position);
      position += piece.ids.length;
      specialTokensMask.fill(1, start, position);
    } else {
      const run = runOf(piece.which);
      ids.set(run.ids, position);
      offsets.set(run.offsets, position * 2);
      words.set(run.words, position);
      position += run.ids.length;
      texts.fill(piece.which, start, position);
    }
    if (piece.typeId !== 0) typeIds.fill(piece.typeId, start, position);
  }
  return { ids, typeIds, specialTokensMask, offsets, texts, words, truncated: first.more || second?.more === true };
}
