import { LatheError } from '../../base/index.ts';
import { formatType, type Model, readModel, type ValueInfo } from '../../graph/index.ts';
import { ARCHITECTURES, type HuggingFaceConfig } from '../../nn/index.ts';
import { configFor } from './architecture.ts';
import { type ModelFiles, readConfig } from './model-files.ts';
import { readText, type StartOptions, type TextReader } from './text-reader.ts';

/** An ONNX graph to begin with, whatever made it. */
export interface GraphStart {
  readonly kind: 'graph';
  /** How the user named it. */
  readonly source: string;
  readonly model: Model;
  /** The output that the head computes, where the user named one. */
  readonly head?: string;
  readonly reader: TextReader;
  /** Whether it takes the types of tokens. */
  readonly tokenTypes: boolean;
  /** The config.json of the new model. */
  readonly config: HuggingFaceConfig;
  /** Whether it tells the labels apart already. */
  readonly sameLabels: boolean;
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
  if (task.head !== 'sequence-classification') {
    throw new LatheError('unsupported', `"${source}": an ONNX file cannot be the start of ${task.task.name}`, {
      hint: 'Begin with a package or a checkpoint: config.json with model.safetensors.',
    });
  }
  const model = await readModel(modelFile!);
  const inputs = model.graph.inputs.filter(({ name }) => !model.graph.initializers.has(name));
  refuseInputs(inputs, source, options);
  const stored = await readConfig(folder);
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
    reader: await readText(options.tokenizer ?? folder, source, stored),
    tokenTypes: inputs.some(({ name }) => name === 'token_type_ids'),
    config,
    sameLabels: labels.length > 0 && JSON.stringify(stored?.id2label) === JSON.stringify(config.id2label),
  };
}

function refuseInputs(inputs: readonly ValueInfo[], source: string, { task }: StartOptions): void {
  const fits = ({ name, type }: ValueInfo): boolean =>
    TEXT_INPUTS.includes(name) && type?.kind === 'tensor' && type.dtype === 'int64' && type.shape?.length === 2;
  const missing = TEXT_INPUTS.slice(0, 2).filter((name) => !inputs.some((input) => input.name === name));
  if (missing.length === 0 && inputs.every(fits)) return;
  const shown = inputs.map(({ name, type }) => `${name} ${type === undefined ? 'of no known type' : formatType(type)}`);
  throw new LatheError(
    'unsupported',
    `"${source}" takes ${shown.join(', ')}: ${task.task.name} gives input_ids, attention_mask and, where a model takes them, token_type_ids, each int64[batch, sequence]`,
    { hint: 'Export the model with these inputs, or choose another --task.' },
  );
}
