import { LatheError } from '../../base/index.ts';
import { loadTokenizer, type Tokenizer, type TokenizerConfigFile } from '../../data/index.ts';
import { ARCHITECTURES, type HuggingFaceConfig, longestSequence } from '../../nn/index.ts';
import { TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from '../../pipeline/index.ts';
import type { TrainableTask } from '../../train/index.ts';
import { readTokenizerFiles } from './model-files.ts';

export interface StartOptions {
  readonly task: TrainableTask;
  readonly labels: readonly string[];
  /** The folder of the tokenizer, where it is not beside the model. */
  readonly tokenizer?: string | undefined;
  /** Of an ONNX file, the output that the head computes. */
  readonly head?: string | undefined;
}

/** What makes the tokens that a model was trained with. */
export interface TextReader {
  readonly tokenizer: Tokenizer;
  readonly files: Readonly<Record<string, string>>;
  /** Tokens of a text that the model can read. */
  readonly maxLength: number;
}

/** Reads the tokenizer of a folder. Throws 'not-found' that begins with `source` where there is none. */
export async function readText(
  folder: string,
  source: string,
  config: HuggingFaceConfig | undefined,
): Promise<TextReader> {
  const files = await readTokenizerFiles(folder, source);
  let settings: TokenizerConfigFile;
  try {
    settings = JSON.parse(files[TOKENIZER_CONFIG_FILE]!) as TokenizerConfigFile;
  } catch (cause) {
    throw new LatheError('corrupt', `"${source}": ${TOKENIZER_CONFIG_FILE} is not JSON`, { cause });
  }
  // Where a tokenizer knows no limit, transformers writes a number with thirty digits.
  const limits = [positionsOf(config), settings.model_max_length].map(Number);
  return {
    tokenizer: loadTokenizer(files[TOKENIZER_FILE]!, settings),
    files,
    maxLength: limits.find((limit) => limit > 0 && limit < 1e6) ?? 512,
  };
}

/** An exported graph may be of any type, and its configuration say nothing that Lathe knows the meaning of. */
function positionsOf(config: HuggingFaceConfig | undefined): unknown {
  const isKnown = typeof config?.model_type === 'string' && Object.hasOwn(ARCHITECTURES, config.model_type);
  return isKnown ? longestSequence(config) : config?.max_position_embeddings;
}
