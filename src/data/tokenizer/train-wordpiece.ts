import { LatheError } from '../../base/index.ts';
import type { AddedTokenFile, TokenizerFiles } from './files.ts';
import { learnMerges } from './merges.ts';
import { type WordRules, wordReader } from './words.ts';

export interface TrainWordPieceOptions {
  /** Tokens at most, special tokens included. Default 30,000. */
  readonly vocabularySize?: number;
  /** Pairs seen less often are not merged. Default 2. */
  readonly minFrequency?: number;
  /** Default true. */
  readonly lowercase?: boolean;
  /** Default: as `lowercase`. */
  readonly stripAccents?: boolean;
  /** They take the first ids. Must hold [PAD], [UNK], [CLS], [SEP]. Default these and [MASK]. */
  readonly specialTokens?: readonly string[];
  /** Characters kept, the most frequent first; words with others are unknown. Default 1,000, at most half of the vocabulary. */
  readonly limitAlphabet?: number;
  /** Written as `model_max_length`; default 512. */
  readonly maxLength?: number;
  readonly onProgress?: (progress: TrainWordPieceProgress) => void;
}

export type TrainWordPieceProgress =
  | { readonly step: 'read'; readonly texts: number; readonly words: number }
  | { readonly step: 'merge'; readonly tokens: number; readonly target: number };

const MAX_CHARACTERS_PER_WORD = 100;
const PREFIX = '##';
const NEEDED = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'] as const;

/**
 * Learns a WordPiece vocabulary and writes it as the files that the reference tokenizers load.
 *
 * Words are counted after BERT's normalization; from single characters on, the most frequent pair of pieces becomes a
 * piece, as in byte-pair encoding (Sennrich et al., 2016) and as the Hugging Face trainer does. Of equally frequent pairs
 * the one of older pieces goes first, and characters are ordered by code point, so that the same texts give the same
 * files, whatever their order. Words of more than 100 characters, which encoding calls unknown, are not counted. Throws
 * `invalid-data` when the texts have no words, `usage` when the size has no room for the special tokens.
 */
export function trainWordPiece(texts: Iterable<string>, options: TrainWordPieceOptions = {}): TokenizerFiles {
  const {
    vocabularySize = 30_000,
    minFrequency = 2,
    lowercase = true,
    stripAccents = lowercase,
    specialTokens = [...NEEDED, '[MASK]'],
    limitAlphabet = 1000,
    maxLength = 512,
    onProgress,
  } = options;
  for (const token of NEEDED) {
    if (!specialTokens.includes(token)) {
      throw new LatheError('usage', `specialTokens: expected ${NEEDED.join(', ')} among them, ${token} is missing`);
    }
  }
  if (!Number.isInteger(vocabularySize) || vocabularySize < specialTokens.length + 2) {
    throw new LatheError(
      'usage',
      `vocabularySize: expected an integer of at least ${specialTokens.length + 2}, got ${vocabularySize}`,
      { hint: `${specialTokens.length} are taken by special tokens.` },
    );
  }
  const rules: WordRules = { cleanText: true, isolateIdeographs: true, stripAccents, lowercase };
  const counts = countWords(texts, rules, onProgress);
  if (counts.size === 0) throw new LatheError('invalid-data', 'cannot train a vocabulary: the texts have no words');
  const tokens = learnMerges(counts, {
    vocabularySize,
    minFrequency,
    reserved: specialTokens,
    limitAlphabet,
    prefix: PREFIX,
    onToken: (count) => onProgress?.({ step: 'merge', tokens: count, target: vocabularySize }),
  });
  return filesOf(tokens, specialTokens, rules, maxLength);
}

function countWords(
  texts: Iterable<string>,
  rules: WordRules,
  onProgress: TrainWordPieceOptions['onProgress'],
): ReadonlyMap<string, number> {
  const readWords = wordReader(rules);
  const counts = new Map<string, number>();
  const count = (word: string): boolean => {
    counts.set(word, (counts.get(word) ?? 0) + 1);
    return false;
  };
  let read = 0;
  for (const text of texts) {
    readWords(text, 0, text.length, count);
    if (++read % 1000 === 0) onProgress?.({ step: 'read', texts: read, words: counts.size });
  }
  for (const word of counts.keys()) {
    if (word.length > MAX_CHARACTERS_PER_WORD && Array.from(word).length > MAX_CHARACTERS_PER_WORD) counts.delete(word);
  }
  onProgress?.({ step: 'read', texts: read, words: counts.size });
  return counts;
}

function filesOf(
  tokens: readonly string[],
  specialTokens: readonly string[],
  rules: WordRules,
  maxLength: number,
): TokenizerFiles {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const special = (id: string, typeId: number) => ({ SpecialToken: { id, type_id: typeId } });
  const text = (id: 'A' | 'B', typeId: number) => ({ Sequence: { id, type_id: typeId } });
  const templateToken = (token: string) => [token, { id: token, ids: [ids.get(token)!], tokens: [token] }] as const;
  const addedTokens: AddedTokenFile[] = specialTokens.map((content) => ({
    id: ids.get(content)!,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: addedTokens,
      normalizer: {
        type: 'BertNormalizer',
        clean_text: rules.cleanText,
        handle_chinese_chars: rules.isolateIdeographs,
        strip_accents: rules.stripAccents,
        lowercase: rules.lowercase,
      },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [special('[CLS]', 0), text('A', 0), special('[SEP]', 0)],
        pair: [special('[CLS]', 0), text('A', 0), special('[SEP]', 0), text('B', 1), special('[SEP]', 1)],
        special_tokens: Object.fromEntries([templateToken('[CLS]'), templateToken('[SEP]')]),
      },
      decoder: { type: 'WordPiece', prefix: PREFIX, cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        continuing_subword_prefix: PREFIX,
        max_input_chars_per_word: MAX_CHARACTERS_PER_WORD,
        vocab: Object.fromEntries(ids),
      },
    },
    config: {
      tokenizer_class: 'BertTokenizer',
      do_lower_case: rules.lowercase,
      strip_accents: rules.stripAccents,
      tokenize_chinese_chars: rules.isolateIdeographs,
      model_max_length: maxLength,
      clean_up_tokenization_spaces: true,
      pad_token: '[PAD]',
      unk_token: '[UNK]',
      cls_token: '[CLS]',
      sep_token: '[SEP]',
      ...(ids.has('[MASK]') && specialTokens.includes('[MASK]') ? { mask_token: '[MASK]' } : {}),
      added_tokens_decoder: Object.fromEntries(addedTokens.map(({ id, ...token }) => [String(id), token])),
    },
  };
}
