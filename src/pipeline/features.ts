import { LatheError } from '../base/index.ts';
import {
  encodeAll,
  featureColumns,
  loadTokenizer,
  loadVectorizer,
  type TensorDataset,
  type Tokenizer,
  type TokenizerConfigFile,
  tensorDataset,
  tokenColumns,
  type Vectorizer,
} from '../data/index.ts';
import { type ImageFeatures, imageFeatures, PREPROCESSOR_FILE, parsePreprocessor } from './image-features.ts';
import type { FeaturesSpec } from './manifest.ts';

/** Turns examples into the inputs of a model: what a package declares, made ready. */
export type FeatureExtractor = TextFeatures | ImageFeatures;

export interface TextFeatures {
  readonly spec: SpecOf<'tokens' | 'n-grams'>;
  /** What makes tokens, where the model takes tokens. */
  readonly tokenizer?: Tokenizer;
  /** Rows in the order of the texts. */
  extract(texts: readonly TextOrPair[], onProgress?: (done: number) => void): Extracted;
}

export type TextOrPair = string | readonly [text: string, textPair: string];

export interface Extracted {
  readonly dataset: TensorDataset;
  /** Texts that were longer than the model reads. */
  readonly truncated: number;
}

export const TOKENIZER_FILE = 'tokenizer.json';
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';
export const VECTORIZER_FILE = 'vectorizer.json';

export type SpecOf<Kind extends FeaturesSpec['kind']> = Extract<FeaturesSpec, { kind: Kind }>;

/** The extractor that `spec` describes, from the files beside it. */
export async function loadFeatures(
  spec: FeaturesSpec,
  read: (file: string) => Promise<string>,
): Promise<FeatureExtractor> {
  const tokenizer = async (): Promise<Tokenizer> => {
    const [file, config] = await Promise.all([read(TOKENIZER_FILE), read(TOKENIZER_CONFIG_FILE)]);
    return loadTokenizer(file, JSON.parse(config) as TokenizerConfigFile);
  };
  if (spec.kind === 'image') {
    return imageFeatures(spec, parsePreprocessor(await read(PREPROCESSOR_FILE), spec.channels));
  }
  if (spec.kind === 'tokens') return tokenFeatures(spec, await tokenizer());
  const vectorizer = loadVectorizer(await read(VECTORIZER_FILE));
  return ngramFeatures(spec, vectorizer, spec.maxLength === undefined ? undefined : await tokenizer());
}

/** Token ids for a transformer. */
export function tokenFeatures(spec: SpecOf<'tokens'>, tokenizer: Tokenizer): TextFeatures {
  const { paddingId } = tokenizer;
  if (paddingId === undefined) {
    throw new LatheError('unsupported', 'the tokenizer has no padding token', {
      hint: 'Name one as pad_token in tokenizer_config.json.',
    });
  }
  return {
    spec,
    tokenizer,
    extract(texts, onProgress) {
      const encoded = encodeAll(tokenizer, texts, { maxLength: spec.maxLength }, onProgress);
      const columns = tokenColumns(encoded, { paddingId, tokenTypes: spec.tokenTypes });
      return { dataset: tensorDataset(columns), truncated: encoded.truncated };
    },
  };
}

/** TF-IDF weights of word n-grams, for the linear model. `tokenizer` measures the part to read, where `spec` limits it. */
export function ngramFeatures(spec: SpecOf<'n-grams'>, vectorizer: Vectorizer, tokenizer?: Tokenizer): TextFeatures {
  const { maxLength } = spec;
  const read = (input: TextOrPair): string => {
    // The words of a pair in one bag: what a baseline can know of it.
    const text = typeof input === 'string' ? input : input.join('\n');
    return maxLength === undefined || tokenizer === undefined ? text : coveredText(tokenizer, text, maxLength);
  };
  return {
    spec,
    extract(texts) {
      return { dataset: tensorDataset(featureColumns(vectorizer, texts.map(read))), truncated: 0 };
    },
  };
}

/** The beginning of a text that `maxLength` tokens (special ones included) cover. */
export function coveredText(tokenizer: Tokenizer, text: string, maxLength: number): string {
  const { offsets, truncated } = tokenizer.encode(text, { maxLength });
  if (!truncated) return text;
  let end = 0;
  for (let index = 1; index < offsets.length; index += 2) end = Math.max(end, offsets[index]!);
  return text.slice(0, end);
}
