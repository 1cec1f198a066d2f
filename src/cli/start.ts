import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LatheError, type Tensor } from '../base/index.ts';
import { loadTokenizer, type Tokenizer, type TokenizerConfigFile } from '../data/index.ts';
import { readModel, tensorOf } from '../graph/index.ts';
import {
  ARCHITECTURES,
  fromConfig,
  type HuggingFaceConfig,
  labelFields,
  modelTypeOf,
  type ParameterSource,
} from '../nn/index.ts';
import { MANIFEST_FILE, openPackage, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from '../pipeline/index.ts';
import type { TrainableTask } from '../train/index.ts';
import { readPretrained } from '../zoo/index.ts';

/** A trained model to begin with: its architecture, its tokenizer, and the parameters that a new task keeps. */
export interface Start {
  /** How the user named it. */
  readonly source: string;
  readonly config: HuggingFaceConfig;
  readonly tokenizer: Tokenizer;
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  /** Tokens of a text that it can read. */
  readonly maxLength: number;
  readonly weights: ParameterSource;
  /** Names of the parameters of the new model that start anew. */
  readonly initialized: readonly string[];
}

export interface StartOptions {
  readonly task: TrainableTask;
  readonly labels: readonly string[];
}

/**
 * Opens a package, or a folder with a Hugging Face checkpoint, as the start of a task. The encoder keeps its parameters; the
 * head does where it is of the same class and gives the same labels. Throws 'not-found' for what is neither, 'unsupported'
 * for a package that is no transformer.
 */
export async function openStart(source: string, options: StartOptions): Promise<Start> {
  const isPackage = existsSync(join(source, MANIFEST_FILE));
  const [stored, parameters] = isPackage ? await fromPackage(source) : await fromCheckpoint(source);
  const architecture = ARCHITECTURES[modelTypeOf(stored)];
  const config = configFor(stored, architecture.className, options);
  const sameHead =
    JSON.stringify([stored.architectures, stored.id2label]) === JSON.stringify([config.architectures, config.id2label]);
  const weights = new Map([...parameters].filter(([name]) => sameHead || name.startsWith(`${architecture.base}.`)));
  const wanted = fromConfig(config, { head: options.task.head }).graph.initializers;
  const text = async (file: string): Promise<string> =>
    readFile(join(source, file), 'utf8').catch((cause: unknown) => {
      throw new LatheError('not-found', `"${source}": there is no ${file}`, {
        hint: 'Expected a package, or a Hugging Face folder with a tokenizer.json.',
        cause,
      });
    });
  const tokenizerFiles = {
    [TOKENIZER_FILE]: await text(TOKENIZER_FILE),
    [TOKENIZER_CONFIG_FILE]: await text(TOKENIZER_CONFIG_FILE),
  };
  return {
    source,
    config,
    tokenizer: loadTokenizer(
      tokenizerFiles[TOKENIZER_FILE],
      JSON.parse(tokenizerFiles[TOKENIZER_CONFIG_FILE]) as TokenizerConfigFile,
    ),
    tokenizerFiles,
    maxLength: Number(stored.max_position_embeddings ?? 512),
    weights,
    initialized: [...wanted.keys()].filter((name) => isParameter(name) && !weights.has(name)),
  };
}

async function fromPackage(folder: string): Promise<[HuggingFaceConfig, ReadonlyMap<string, Tensor>]> {
  const opened = await openPackage(folder);
  if (opened.manifest.pipeline.features.kind !== 'tokens') {
    throw new LatheError('unsupported', `"${folder}" is a linear model: only transformers can be the start of a task`);
  }
  const config = JSON.parse(await opened.readText('config.json')) as HuggingFaceConfig;
  const { graph } = await readModel(opened.modelPath());
  return [
    config,
    new Map(
      [...graph.initializers].filter(([name]) => isParameter(name)).map(([name, value]) => [name, tensorOf(value)]),
    ),
  ];
}

async function fromCheckpoint(folder: string): Promise<[HuggingFaceConfig, ReadonlyMap<string, Tensor>]> {
  const { config, model } = await readPretrained(folder);
  const parameters = [...model.graph.initializers].filter(([name]) => isParameter(name));
  return [config, new Map(parameters.map(([name, value]) => [name, tensorOf(value)]))];
}

/** `config.json` with the head and the labels of another task. */
function configFor(stored: HuggingFaceConfig, className: string, { task, labels }: StartOptions): HuggingFaceConfig {
  const { id2label: _, label2id: __, num_labels: ___, problem_type: ____, ...rest } = stored;
  return {
    ...rest,
    architectures: [`${className}${task.config.className}`],
    ...(task.config.problemType !== undefined && { problem_type: task.config.problemType }),
    ...labelFields(labels, task.config.problemType),
  };
}

/** Parameters have the names of checkpoints, constants of a graph have not. */
function isParameter(name: string): boolean {
  return /\.(weight|bias)$/.test(name);
}
