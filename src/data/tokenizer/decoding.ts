import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { LatheError } from '../../base/index.ts';
import type { TokenizerConfigFile, TokenizerFile } from './files.ts';

/**
 * What makes a text of tokens. WordPiece is joined here; the other decoders run on `@huggingface/tokenizers`. `tokens` are
 * the texts of all ids. Throws 'unsupported' for a decoder that the library does not know.
 */
export function decoderOf(
  file: TokenizerFile,
  config: TokenizerConfigFile,
  tokens: readonly string[],
): (ids: number[]) => string {
  const { decoder } = file;
  if (decoder?.type === 'WordPiece') {
    const prefix = typeof decoder.prefix === 'string' ? decoder.prefix : '##';
    return (ids) =>
      joinWordPieces(
        ids.map((id) => tokens[id]!),
        prefix,
        decoder.cleanup !== false,
      );
  }
  const known = decoderTypes(decoder).find((type) => !LIBRARY_DECODERS.includes(type));
  if (known !== undefined) {
    throw new LatheError('unsupported', `tokenizer.json: the decoder "${known}"`, {
      hint: `Known: ${LIBRARY_DECODERS.join(', ')}.`,
    });
  }
  let library: LibraryTokenizer | undefined;
  return (ids) => {
    if (ids.length === 0) return '';
    // Opening it takes a while for a large vocabulary, and few decode.
    library ??= new LibraryTokenizer(
      {
        ...file,
        added_tokens: (file.added_tokens ?? []).map((token) => ({ ...token, content: tokens[token.id]! })),
        normalizer: null,
        pre_tokenizer: null,
        post_processor: null,
        decoder: decoder ?? null,
      },
      // What a text was made of, and no better typography.
      { ...config, clean_up_tokenization_spaces: false },
    );
    return library.decode(ids, { skip_special_tokens: false });
  };
}

const LIBRARY_DECODERS = [
  ...[
    'ByteLevel',
    'WordPiece',
    'Metaspace',
    'ByteFallback',
    'Fuse',
    'Strip',
    'Replace',
    'BPEDecoder',
    'CTC',
    'Sequence',
  ],
];

function decoderTypes(decoder: TokenizerFile['decoder']): readonly string[] {
  if (decoder === null || decoder === undefined) return [];
  const parts = decoder.type === 'Sequence' ? (decoder.decoders as NonNullable<TokenizerFile['decoder']>[]) : [];
  return [decoder.type, ...parts.flatMap(decoderTypes)];
}

// The contractions and punctuation that the reference's WordPiece decoder closes up, in its order.
const CLOSED_UP: readonly (readonly [string, string])[] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

function joinWordPieces(tokens: readonly string[], prefix: string, closeUp: boolean): string {
  return tokens
    .map((token, index) => {
      let text = index === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
      if (closeUp) for (const [open, closed] of CLOSED_UP) text = text.replaceAll(open, closed);
      return text;
    })
    .join('');
}
