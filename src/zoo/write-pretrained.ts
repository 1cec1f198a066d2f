import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically, writeFolderAtomically } from '../base/atomic-write.ts';
import { byteSize } from '../base/dtype.ts';
import { encodeSafetensors, jsonText, LatheError, sizeOf, type Tensor } from '../base/index.ts';
import { type Model, tensorOf } from '../graph/index.ts';
import { ARCHITECTURES, fromConfig, type HuggingFaceConfig, modelTypeOf } from '../nn/index.ts';
import { headOf } from './pretrained.ts';

export interface WritePretrainedOptions {
  /** Bytes of weights in a file, at most; a tensor that is larger has a file of its own. Default 5 GB. */
  readonly shardBytes?: number;
  /** Text files to write beside, by their path in the folder: those of the tokenizer. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface WrittenPretrained {
  /** Names of all files, in order. */
  readonly files: readonly string[];
  readonly tensors: number;
  /** Of the weights. */
  readonly bytes: number;
}

const SHARD_BYTES = 5e9;

/**
 * Writes the Hugging Face checkpoint folder of a transformer: `config.json` and `model.safetensors`, or the parts of it
 * with `model.safetensors.index.json`. `config` says what the model is: its `model_type`, and its head by the class in
 * `architectures`. Parameters have the names and the layout of that class in transformers, float32; a decoder that is the
 * table of words is not written twice. The folder appears whole or not at all.
 *
 * Throws 'unsupported' for model types that Lathe has no architecture for and classes without a head of Lathe's,
 * 'invalid-model' when a parameter is missing, 'shape' when one has other dimensions, and 'usage' when the folder has files.
 */
export async function writePretrained(
  folder: string,
  model: Model,
  config: HuggingFaceConfig,
  { shardBytes = SHARD_BYTES, files = {} }: WritePretrainedOptions = {},
): Promise<WrittenPretrained> {
  if (!(shardBytes > 0)) throw new LatheError('usage', `shardBytes: expected a positive number, got ${shardBytes}`);
  const tensors = checkpointTensors(model, config);
  const there = await readdir(folder).catch((): string[] => []);
  if (there.length > 0) {
    throw new LatheError('usage', `"${folder}" is there already, and has files`, { hint: 'Choose another --out.' });
  }
  const bytes = bytesOf([...tensors.values()]);
  const written: string[] = [];
  await writeFolderAtomically(folder, async (temporary) => {
    const weights = shardsOf(tensors, shardBytes);
    for (const [name, shard] of weights) {
      await writeFileAtomically(join(temporary, name), encodeSafetensors(shard, { format: 'pt' }));
    }
    const texts: Record<string, string> = { 'config.json': jsonText({ ...config, dtype: 'float32' }), ...files };
    if (weights.size > 1) {
      const parts = [...weights].flatMap(([file, shard]) => [...shard.keys()].map((name) => [name, file]));
      const index = { metadata: { total_size: bytes }, weight_map: Object.fromEntries(parts) };
      texts['model.safetensors.index.json'] = jsonText(index);
    }
    for (const [name, text] of Object.entries(texts)) await writeFileAtomically(join(temporary, name), text);
    written.push(...Object.keys(texts), ...weights.keys());
  });
  return { files: written.sort(), tensors: tensors.size, bytes };
}

/** The parameters of a model as transformers has them in a checkpoint of the class that `config` names. */
export function checkpointTensors(model: Model, config: HuggingFaceConfig): ReadonlyMap<string, Tensor> {
  const architecture = ARCHITECTURES[modelTypeOf(config)];
  const head = headOf(config, architecture);
  const [className] = Array.isArray(config.architectures) ? (config.architectures as unknown[]) : [];
  if (head === 'none' && className !== `${architecture.className}Model`) {
    throw new LatheError('unsupported', `config.json: architectures names ${JSON.stringify(className)}`, {
      hint: `Expected ${architecture.className}Model, or ${architecture.className} and the name of a head, as in ${architecture.className}ForSequenceClassification.`,
    });
  }
  // The architecture asks for each of its parameters, and refuses those of other dimensions.
  const found = new Map<string, Tensor>();
  const missing: string[] = [];
  const get = (name: string): Tensor | undefined => {
    const value = model.graph.initializers.get(name);
    if (value === undefined) missing.push(name);
    else found.set(name, tensorOf(value));
    return found.get(name);
  };
  fromConfig(config, { head, weights: { get } });
  if (missing.length > 0) {
    throw new LatheError(
      'invalid-model',
      `the model lacks ${missing.length} parameters of ${className}: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}`,
      { hint: 'Its graph was made otherwise than from this config.json: it can be used as the ONNX file that it is.' },
    );
  }
  if (head === 'none') {
    // The bare encoder is the model itself: nothing stands before its names.
    return new Map([...found].map(([name, value]) => [name.slice(architecture.base.length + 1), value]));
  }
  // A decoder of its own leaves the bias that it would have shared unread, which its class has all the same.
  for (const step of architecture.heads[head]) {
    const bias = step.kind === 'vocabulary' ? found.get(`${step.name}.bias`) : undefined;
    if (step.kind === 'vocabulary' && bias !== undefined && !found.has(step.tiedBias)) found.set(step.tiedBias, bias);
  }
  return found;
}

/** The files of the weights, by name. */
function shardsOf(
  tensors: ReadonlyMap<string, Tensor>,
  shardBytes: number,
): ReadonlyMap<string, ReadonlyMap<string, Tensor>> {
  const shards: Map<string, Tensor>[] = [new Map()];
  let filled = 0;
  for (const [name, value] of tensors) {
    const bytes = bytesOf([value]);
    if (filled > 0 && filled + bytes > shardBytes) {
      shards.push(new Map());
      filled = 0;
    }
    shards.at(-1)!.set(name, value);
    filled += bytes;
  }
  if (shards.length === 1) return new Map([['model.safetensors', shards[0]!]]);
  const number = (value: number): string => String(value).padStart(5, '0');
  return new Map(shards.map((shard, at) => [`model-${number(at + 1)}-of-${number(shards.length)}.safetensors`, shard]));
}

function bytesOf(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, { dtype, dims }) => sum + (byteSize(dtype, sizeOf(dims)) ?? 0), 0);
}
