import { LatheError } from '../../base/index.ts';

/** The content of a `tokenizer.json`, as far as Lathe reads it; what it does not know stays in the object. */
export interface TokenizerFile {
  readonly version?: string;
  readonly truncation?: unknown;
  readonly padding?: { readonly pad_id?: number } | null;
  readonly added_tokens?: readonly AddedTokenFile[];
  readonly normalizer?: ComponentFile | null;
  readonly pre_tokenizer?: ComponentFile | null;
  readonly post_processor?: PostProcessorFile | null;
  readonly decoder?: ComponentFile | null;
  readonly model: ModelFile;
}

export interface AddedTokenFile {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

export interface ComponentFile {
  readonly type: string;
  readonly [setting: string]: unknown;
}

export interface ModelFile {
  /** `WordPiece`, `BPE`, `Unigram` or `WordLevel`. */
  readonly type?: string;
  readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
  readonly [setting: string]: unknown;
}

type TemplateItem =
  | { readonly Sequence: { readonly id: 'A' | 'B'; readonly type_id: number } }
  | { readonly SpecialToken: { readonly id: string; readonly type_id: number } };

export type PostProcessorFile =
  | {
      readonly type: 'TemplateProcessing';
      readonly single: readonly TemplateItem[];
      readonly pair: readonly TemplateItem[];
      readonly special_tokens: Readonly<Record<string, { readonly ids: readonly number[] }>>;
    }
  | {
      readonly type: 'BertProcessing' | 'RobertaProcessing';
      readonly sep: readonly [string, number];
      readonly cls: readonly [string, number];
    }
  | { readonly type: 'ByteLevel' }
  | { readonly type: 'Sequence'; readonly processors: readonly PostProcessorFile[] };

/** The content of a `tokenizer_config.json`; settings that Lathe does not read stay in the object. */
export interface TokenizerConfigFile {
  readonly [setting: string]: unknown;
}

/** What a trained tokenizer is on disk: `tokenizer.json` and `tokenizer_config.json`, as objects to stringify. */
export interface TokenizerFiles {
  readonly tokenizer: TokenizerFile;
  readonly config: TokenizerConfigFile;
}

/** Reads the text (or the parsed content) of a `tokenizer.json`. Throws `invalid-data` when it is not one. */
export function readTokenizerFile(source: string | object): TokenizerFile {
  const file = typeof source === 'string' ? parse(source) : source;
  const refuse = (what: string): never => {
    throw new LatheError('invalid-data', `tokenizer.json: ${what}`, {
      hint: 'Expected the file that the Hugging Face tokenizers library writes.',
    });
  };
  if (!isRecord(file)) return refuse('expected an object');
  const model = file.model;
  if (!isRecord(model)) return refuse('expected a "model" object');
  if (typeof model.vocab !== 'object' || model.vocab === null) return refuse('expected a vocabulary in "model.vocab"');
  const added = file.added_tokens ?? [];
  if (!Array.isArray(added)) return refuse('expected "added_tokens" to be a list');
  for (const token of added) {
    if (!isRecord(token) || !Number.isInteger(token.id) || typeof token.content !== 'string') {
      return refuse(`expected an added token with "id" and "content", got ${JSON.stringify(token)}`);
    }
  }
  return file as unknown as TokenizerFile;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LatheError('invalid-data', `tokenizer.json: not valid JSON (${(cause as Error).message})`, { cause });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
