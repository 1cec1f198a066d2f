import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { decodeSafetensors, isSmallFloat, LatheError, smallFloatTable, type Tensor } from '../base/index.ts';
import { readWhole } from '../base/read-whole.ts';
import type { Model } from '../graph/index.ts';
import {
  ARCHITECTURES,
  type Architecture,
  type EncoderOptions,
  fromConfig,
  type Head,
  type HuggingFaceConfig,
  modelTypeOf,
} from '../nn/index.ts';

export interface PretrainedOptions extends Pick<EncoderOptions, 'form' | 'seed' | 'tokenTypeIds'> {
  /** Default: the one that `architectures` in `config.json` names, else `none`. */
  readonly head?: Head | 'none';
  /** Labels to train, in order. Where the checkpoint has others, the layer that gives the logits starts anew. */
  readonly labels?: readonly string[];
}

export interface Pretrained {
  readonly model: Model;
  /** As read, with `labels` where they were given. */
  readonly config: HuggingFaceConfig;
  readonly head: Head | 'none';
  /** Parameters of the head that the checkpoint has no values for: they are initialized, and nothing has trained them. */
  readonly initialized: readonly string[];
  /** Names of the checkpoint's tensors of floats that the model has no place for. */
  readonly unused: readonly string[];
}

/**
 * The model of a Hugging Face checkpoint folder: `config.json` with `model.safetensors`, or the parts that
 * `model.safetensors.index.json` names. float16, bfloat16 and float64 become float32. Names may lack the architecture's
 * prefix (checkpoints of the encoder alone), and normalization may have the old names gamma and beta.
 * Throws 'not-found' for a folder without these files, 'unsupported' for pickled weights and unknown model types,
 * 'invalid-model' when a parameter of the encoder is missing, 'shape' when one has other dimensions, 'corrupt' for files
 * that are not what they say.
 */
export async function readPretrained(folder: string, options: PretrainedOptions = {}): Promise<Pretrained> {
  const { labels, head: wanted, ...rest } = options;
  const files = await filesOf(folder);
  if (!files.has('config.json')) {
    throw new LatheError('not-found', `${folder}: there is no config.json`, {
      hint: 'Expected a Hugging Face checkpoint folder: config.json with model.safetensors.',
    });
  }
  const stored = await readJson(join(folder, 'config.json'));
  const architecture = ARCHITECTURES[modelTypeOf(stored)];
  const head = wanted ?? headOf(stored, architecture);
  const config = labels === undefined ? stored : { ...stored, ...labelFields(labels) };
  const tensors = await readTensors(folder, files);

  const steps = head === 'none' ? [] : architecture.heads[head];
  const relabelled = labels !== undefined && !sameLabels(stored, labels);
  const under = (name: string, kinds: readonly string[]): boolean =>
    steps.some((step) => kinds.includes(step.kind) && name.startsWith(`${step.name}.`));
  const biases = new Map(
    steps.flatMap((step): [string, string][] =>
      step.kind === 'vocabulary' && step.tiedBias !== `${step.name}.bias`
        ? [
            [step.tiedBias, `${step.name}.bias`],
            [`${step.name}.bias`, step.tiedBias],
          ]
        : [],
    ),
  );
  const used = new Set<string>();
  const initialized: string[] = [];
  const missing: string[] = [];
  const get = (name: string): Tensor | undefined => {
    const found = namesFor(name, architecture.base, biases.get(name)).find((candidate) => tensors.has(candidate));
    if (found !== undefined && !(relabelled && under(name, ['logits']))) {
      used.add(found);
      return asFloat32(found, tensors.get(found)!);
    }
    const ofHead = under(name, ['dense', 'norm', 'logits', 'vocabulary']) || biases.has(name);
    (ofHead ? initialized : missing).push(name);
    return undefined;
  };
  const model = fromConfig(config, { ...rest, head, weights: { get } });
  if (missing.length > 0) {
    throw new LatheError(
      'invalid-model',
      `${folder}: the checkpoint lacks ${missing.length} parameters of the encoder: ${list(missing)}`,
      { hint: `It has ${tensors.size} tensors: ${list([...tensors.keys()])}. Is config.json that of these weights?` },
    );
  }
  const unused = [...tensors].filter(([name, { dtype }]) => !used.has(name) && isFloat(dtype)).map(([name]) => name);
  return { model, config, head, initialized, unused };
}

/** What a parameter may be called in a checkpoint, the usual name first. */
function namesFor(name: string, base: string, otherBias: string | undefined): string[] {
  const full = otherBias === undefined ? [name] : [name, otherBias];
  const names = name.startsWith(`${base}.`) ? [...full, name.slice(base.length + 1)] : full;
  const old = names.map((each) =>
    each.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta'),
  );
  return [...new Set([...names, ...old])];
}

const SUFFIXES: Readonly<Record<string, Head>> = {
  ForSequenceClassification: 'sequence-classification',
  ForTokenClassification: 'token-classification',
  ForQuestionAnswering: 'question-answering',
  ForMaskedLM: 'masked-lm',
};

/** The head of the class that `architectures` names; `none` for the bare encoder and for classes of other heads. */
export function headOf(config: HuggingFaceConfig, { className }: Architecture): Head | 'none' {
  const name: unknown = Array.isArray(config.architectures) ? config.architectures[0] : undefined;
  if (typeof name !== 'string' || !name.startsWith(className)) return 'none';
  const suffix = name.slice(className.length);
  return Object.hasOwn(SUFFIXES, suffix) ? SUFFIXES[suffix]! : 'none';
}

function labelFields(labels: readonly string[]): HuggingFaceConfig {
  return {
    num_labels: labels.length,
    id2label: Object.fromEntries(labels.map((label, id) => [String(id), label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
  };
}

function sameLabels({ id2label }: HuggingFaceConfig, labels: readonly string[]): boolean {
  if (typeof id2label !== 'object' || id2label === null) return false;
  const stored = id2label as Record<string, unknown>;
  return Object.keys(stored).length === labels.length && labels.every((label, id) => stored[String(id)] === label);
}

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

async function readTensors(folder: string, files: ReadonlySet<string>): Promise<ReadonlyMap<string, Tensor>> {
  if (files.has(WEIGHTS)) return readSafetensors(join(folder, WEIGHTS));
  if (files.has(INDEX)) return readParts(folder, files);
  const pickled = [...files].find((name) => /^pytorch_model(-\d+-of-\d+)?\.bin$/.test(name));
  if (pickled !== undefined) {
    throw new LatheError(
      'unsupported',
      `${folder}: the weights are in ${pickled}, a Python pickle, which may run code when it is read; expected ${WEIGHTS}`,
      {
        hint: 'Take a revision of the model with safetensors, or write it with transformers: AutoModel.from_pretrained(folder).save_pretrained(folder), with the class that config.json names in architectures.',
      },
    );
  }
  throw new LatheError('not-found', `${folder}: there are no weights, expected ${WEIGHTS} or ${INDEX}`);
}

async function readParts(folder: string, files: ReadonlySet<string>): Promise<ReadonlyMap<string, Tensor>> {
  const where = join(folder, INDEX);
  const { weight_map: map } = await readJson(where);
  if (typeof map !== 'object' || map === null)
    throw new LatheError('corrupt', `${where}: expected weight_map, a file for each tensor`);
  const partOf = new Map<string, string>();
  for (const [name, part] of Object.entries(map)) {
    // An index comes from elsewhere: it names files of its own folder, and nothing else.
    if (typeof part !== 'string' || basename(part) !== part || !part.endsWith('.safetensors'))
      throw new LatheError(
        'corrupt',
        `${where}: "${name}" should be in a .safetensors file beside the index, got ${JSON.stringify(part)}`,
      );
    if (!files.has(part)) throw new LatheError('not-found', `${where} names ${part}, which is not in the folder`);
    partOf.set(name, part);
  }
  const tensors = new Map<string, Tensor>();
  for (const part of new Set(partOf.values())) {
    for (const [name, value] of await readSafetensors(join(folder, part)))
      if (partOf.get(name) === part) tensors.set(name, value);
  }
  const absent = [...partOf.keys()].filter((name) => !tensors.has(name));
  if (absent.length > 0)
    throw new LatheError('corrupt', `${where}: the files lack ${absent.length} tensors that it names: ${list(absent)}`);
  return tensors;
}

async function readSafetensors(path: string): Promise<ReadonlyMap<string, Tensor>> {
  return decodeSafetensors(await readWhole(path), path).tensors;
}

async function filesOf(folder: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(folder));
  } catch (cause) {
    throw new LatheError('not-found', `${folder}: cannot be read as a folder`, { cause });
  }
}

async function readJson(path: string): Promise<HuggingFaceConfig> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new LatheError('corrupt', `${path}: is not JSON`, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new LatheError('corrupt', `${path}: expected a JSON object`);
  return content as HuggingFaceConfig;
}

const isFloat = (dtype: Tensor['dtype']): boolean => dtype === 'float32' || dtype === 'float64' || isSmallFloat(dtype);

function asFloat32(name: string, { dtype, dims, data }: Tensor): Tensor {
  if (dtype === 'float32') return { dtype, dims, data };
  if (dtype === 'float64') return { dtype: 'float32', dims, data: new Float32Array(data as Float64Array) };
  if (dtype !== 'float16' && dtype !== 'bfloat16')
    throw new LatheError('unsupported', `"${name}" is ${dtype}, expected float32, float16, bfloat16 or float64`, {
      hint: 'Quantized checkpoints cannot be trained; take the one they were made from.',
    });
  const table = smallFloatTable(dtype);
  const codes = data as Uint16Array;
  const values = new Float32Array(codes.length);
  for (let index = 0; index < codes.length; index++) values[index] = table[codes[index]!]!;
  return { dtype: 'float32', dims, data: values };
}

function list(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')}, …`;
}
