import { LatheError } from '../../base/index.ts';
import { formatType, type Model, readModel, type ValueInfo } from '../../graph/index.ts';
import { ARCHITECTURES, type HuggingFaceConfig } from '../../nn/index.ts';
import { PREPROCESSOR_FILE } from '../../pipeline/index.ts';
import { configFor } from './architecture.ts';
import { type ModelFiles, readConfig, readJson } from './model-files.ts';
import { readText, type StartOptions, type TextReader } from './text-reader.ts';

/** An ONNX graph to begin with, whatever made it. */
export interface GraphStart {
  readonly kind: 'graph';
  /** How the user named it. */
  readonly source: string;
  readonly model: Model;
  /** The output that the head computes, where the user named one. */
  readonly head?: string;
  readonly reads:
    | {
        readonly kind: 'texts';
        readonly reader: TextReader;
        /** Whether it takes the types of tokens. */
        readonly tokenTypes: boolean;
      }
    | ImageReader;
  /** The config.json of the new model. */
  readonly config: HuggingFaceConfig;
  /** Whether it tells the labels apart already. */
  readonly sameLabels: boolean;
}

/** What a model takes of images. */
export interface ImageReader {
  readonly kind: 'images';
  /** The name of its input: float32 [batch, channels, height, width]. */
  readonly input: string;
  readonly channels: 1 | 3;
  /** The parsed preprocessor_config.json beside it. */
  readonly preprocessor?: Readonly<Record<string, unknown>>;
  /** Where the graph is for one size alone. */
  readonly size?: { readonly height: number; readonly width: number };
}

/** Inputs of a model of texts, by the names that exporters give them. */
const TEXT_INPUTS = ['input_ids', 'attention_mask', 'token_type_ids'];

/**
 * Opens an ONNX file as the start of a task. Throws 'unsupported' for inputs that the task's data do not become, and
 * 'not-found' without a tokenizer.
 */
export async function graphStart(
  { source, folder, modelFile }: ModelFiles,
  options: StartOptions,
): Promise<GraphStart> {
  const { task, labels } = options;
  if (task.head !== 'sequence-classification' && task.head !== 'token-classification') {
    throw new LatheError('unsupported', `"${source}": an ONNX file cannot be the start of ${task.task.name}`, {
      hint: 'Begin with a package or a checkpoint: config.json with model.safetensors.',
    });
  }
  const model = await readModel(modelFile!);
  const inputs = model.graph.inputs.filter(({ name }) => !model.graph.initializers.has(name));
  const stored = await readConfig(folder);
  const reads =
    task.task.columns.image === undefined
      ? await textsFor(inputs, folder, source, stored, options)
      : await imagesFor(inputs, folder, source);
  const type = stored?.model_type;
  const className =
    typeof type === 'string' && Object.hasOwn(ARCHITECTURES, type)
      ? ARCHITECTURES[type as keyof typeof ARCHITECTURES].className
      : undefined;
  const config = configFor(stored ?? { model_type: 'lathe-onnx', architectures: ['LatheOnnx'] }, className, options);
  return {
    kind: 'graph',
    source,
    model,
    ...(options.head !== undefined && { head: options.head }),
    reads,
    config,
    sameLabels: labels.length > 0 && JSON.stringify(stored?.id2label) === JSON.stringify(config.id2label),
  };
}

async function textsFor(
  inputs: readonly ValueInfo[],
  folder: string,
  source: string,
  config: HuggingFaceConfig | undefined,
  { task, tokenizer }: StartOptions,
): Promise<GraphStart['reads']> {
  const fits = ({ name, type }: ValueInfo): boolean =>
    TEXT_INPUTS.includes(name) && type?.kind === 'tensor' && type.dtype === 'int64' && type.shape?.length === 2;
  const missing = TEXT_INPUTS.slice(0, 2).filter((name) => !inputs.some((input) => input.name === name));
  if (missing.length > 0 || !inputs.every(fits)) {
    throw new LatheError(
      'unsupported',
      `"${source}" takes ${shown(inputs)}: ${task.task.name} gives input_ids, attention_mask and, where a model takes them, token_type_ids, each int64[batch, sequence]`,
      { hint: 'Export the model with these inputs, or choose another --task.' },
    );
  }
  return {
    kind: 'texts',
    reader: await readText(tokenizer ?? folder, source, config),
    tokenTypes: inputs.some(({ name }) => name === 'token_type_ids'),
  };
}

async function imagesFor(inputs: readonly ValueInfo[], folder: string, source: string): Promise<ImageReader> {
  const [input] = inputs;
  const type = input?.type;
  const shape = type?.kind === 'tensor' && type.dtype === 'float32' ? (type.shape ?? []) : [];
  const [, channels, height, width] = shape;
  if (input === undefined || inputs.length !== 1 || shape.length !== 4 || (channels !== 1 && channels !== 3)) {
    throw new LatheError(
      'unsupported',
      `"${source}" takes ${shown(inputs)}: images are given as one input, float32[batch, channels, height, width] of 1 or 3 channels`,
      { hint: 'Export the model with such an input.' },
    );
  }
  const preprocessor = await readJson(folder, PREPROCESSOR_FILE);
  return {
    kind: 'images',
    input: input.name,
    channels,
    ...(preprocessor && { preprocessor }),
    ...(typeof height === 'number' && typeof width === 'number' && { size: { height, width } }),
  };
}

function shown(inputs: readonly ValueInfo[]): string {
  return inputs
    .map(({ name, type }) => `${name} ${type === undefined ? 'of no known type' : formatType(type)}`)
    .join(', ');
}
