import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor } from '../../base/index.ts';
import { readModel, tensorOf } from '../../graph/index.ts';
import {
  ARCHITECTURES,
  fromConfig,
  type HuggingFaceConfig,
  labelFields,
  modelTypeOf,
  type ParameterSource,
  POOLINGS,
  type Pooling,
} from '../../nn/index.ts';
import { openPackage } from '../../pipeline/index.ts';
import { readPretrained } from '../../zoo/index.ts';
import type { ModelFiles } from './model-files.ts';
import { readText, type StartOptions, type TextReader } from './text-reader.ts';

/** A trained transformer to begin with: its architecture, and the parameters that a new task keeps. */
export interface ArchitectureStart {
  readonly kind: 'architecture';
  /** How the user named it. */
  readonly source: string;
  readonly reader: TextReader;
  readonly config: HuggingFaceConfig;
  readonly weights: ParameterSource;
  /** How its texts are pooled, where it is a model of sentence-transformers. */
  readonly pooling?: Pooling;
  /** Names of the parameters of the new model that are not the encoder's, or that start anew. */
  readonly head: readonly string[];
  /** Those that start anew. */
  readonly initialized: readonly string[];
}

/**
 * Opens a package, or a Hugging Face checkpoint, as the start of a task. The encoder keeps its parameters; the head does
 * where it is of the same class and gives the same labels. Throws 'unsupported' for a package that is no transformer.
 */
export async function architectureStart(
  { source, kind, folder }: ModelFiles,
  options: StartOptions,
): Promise<ArchitectureStart> {
  const [stored, parameters] = kind === 'package' ? await fromPackage(folder) : await fromCheckpoint(folder);
  const architecture = ARCHITECTURES[modelTypeOf(stored)];
  const config = configFor(stored, architecture.className, options);
  const sameHead =
    JSON.stringify([stored.architectures, stored.id2label]) === JSON.stringify([config.architectures, config.id2label]);
  const weights = new Map([...parameters].filter(([name]) => sameHead || name.startsWith(`${architecture.base}.`)));
  const wanted = [...fromConfig(config, { head: options.task.head }).graph.initializers.keys()].filter(isParameter);
  const isNew = (name: string): boolean => !weights.has(name);
  const pooling = await poolingOf(folder);
  return {
    kind: 'architecture',
    source,
    reader: await readText(options.tokenizer ?? folder, source, stored),
    config,
    weights,
    ...(pooling !== undefined && { pooling }),
    head: wanted.filter((name) => isNew(name) || !name.startsWith(`${architecture.base}.`)),
    initialized: wanted.filter(isNew),
  };
}

async function fromPackage(folder: string): Promise<[HuggingFaceConfig, ReadonlyMap<string, Tensor>]> {
  const opened = await openPackage(folder);
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

/** What `1_Pooling/config.json` says, in the words of any version of sentence-transformers. */
async function poolingOf(folder: string): Promise<Pooling | undefined> {
  const text = await readFile(join(folder, '1_Pooling', 'config.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const config = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const flags = { mean: 'pooling_mode_mean_tokens', cls: 'pooling_mode_cls_token', max: 'pooling_mode_max_tokens' };
  return POOLINGS.find((pooling) => config[flags[pooling]] === true || config.pooling_mode === pooling);
}

/** `config.json` with the head and the labels of another task. */
export function configFor(
  stored: HuggingFaceConfig,
  className: string | undefined,
  { task, labels }: StartOptions,
): HuggingFaceConfig {
  const { id2label: _, label2id: __, num_labels: ___, problem_type: ____, ...rest } = stored;
  return {
    ...rest,
    ...(className !== undefined && { architectures: [`${className}${task.config.className}`] }),
    ...(task.config.problemType !== undefined && { problem_type: task.config.problemType }),
    ...labelFields(labels, task.config.problemType),
  };
}

/** Parameters have the names of checkpoints, constants of a graph have not. */
function isParameter(name: string): boolean {
  return /\.(weight|bias)$/.test(name);
}
