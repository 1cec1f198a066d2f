import { LatheError } from '../../base/errors.ts';

/** What a model's weights are stored as. */
export type WeightFormat = 'safetensors' | 'onnx';

export interface Choice {
  readonly format: WeightFormat;
  readonly files: readonly string[];
}

export interface Wishes {
  /** Default: a checkpoint where Lathe builds the model from it, else ONNX. */
  readonly format?: WeightFormat | undefined;
  /** Of ONNX files, as transformers.js names them: `fp16`, `quantized`, `q4`, …; default the one in full precision. */
  readonly variant?: string | undefined;
  /** Why a checkpoint of this configuration is no use, or undefined when it is of use. */
  readonly refusal?: string | undefined;
}

/** Small files that say what a model is and what stands before it. */
const ABOUT: ReadonlySet<string> = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'preprocessor_config.json',
  'processor_config.json',
  'image_processor_config.json',
  'modules.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
  '1_Pooling/config.json',
  'vectorizer.json',
  'lathe.json',
  'README.md',
  'LICENSE',
  'LICENSE.txt',
  'LICENSE.md',
]);

const CHECKPOINT = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/**
 * Of a repository's files those that Lathe needs: what describes the model, and its weights in one form. Throws
 * LatheError: `unsupported` when there are only forms that Lathe does not read, `not-found` when some are missing, `usage`
 * when there are several models to choose from.
 */
export function chooseFiles(paths: readonly string[], wishes: Wishes, name: string): Choice {
  const about = paths.filter((path) => ABOUT.has(path));
  const checkpoint = checkpointFiles(paths, name);
  const onnx = paths.filter((path) => path.endsWith('.onnx'));
  if (wishes.format === 'safetensors' || (wishes.format === undefined && wishes.refusal === undefined)) {
    if (checkpoint.length > 0) {
      if (wishes.refusal !== undefined) throw unsupported(name, wishes.refusal, onnx.length > 0);
      return { format: 'safetensors', files: [...about, ...checkpoint] };
    }
    if (wishes.format === 'safetensors')
      throw new LatheError('not-found', `${name}: it has no ${CHECKPOINT}`, { hint: whatIsThere(paths) });
  }
  if (onnx.length > 0) return { format: 'onnx', files: [...about, ...onnxFiles(paths, onnx, wishes, name)] };
  if (checkpoint.length > 0) throw unsupported(name, wishes.refusal ?? 'it has no ONNX file', false);
  throw new LatheError('unsupported', `${name}: it has neither ${CHECKPOINT} nor an ONNX file`, {
    hint: whatIsThere(paths),
  });
}

function unsupported(name: string, refusal: string, hasOnnx: boolean): LatheError {
  return new LatheError('unsupported', `${name}: ${refusal}`, {
    hint: hasOnnx
      ? 'It has ONNX files, too: ask for those (--format onnx).'
      : 'Look for a repository that has it as ONNX, or name the files that you want all the same: hf:ORG/NAME/FILE.',
  });
}

function checkpointFiles(paths: readonly string[], name: string): readonly string[] {
  if (paths.includes(CHECKPOINT)) return [CHECKPOINT];
  if (!paths.includes(INDEX)) return [];
  const shards = paths.filter((path) => /^model-\d+-of-\d+\.safetensors$/.test(path)).sort();
  const expected = Number(/-of-(\d+)\./.exec(shards[0] ?? '')?.[1] ?? 1);
  if (shards.length !== expected)
    throw new LatheError('not-found', `${name}: ${INDEX} is there, and ${shards.length} of ${expected} shards`);
  return [INDEX, ...shards];
}

/** `onnx/` is where exporters and transformers.js put models; else those beside config.json. */
function onnxFiles(paths: readonly string[], onnx: readonly string[], wishes: Wishes, name: string): readonly string[] {
  const folder = onnx.some((path) => path.startsWith('onnx/')) ? 'onnx/' : '';
  const there = onnx.filter((path) => path.startsWith(folder) && !path.slice(folder.length).includes('/'));
  const suffix = wishes.variant === undefined || wishes.variant === 'fp32' ? '' : `_${wishes.variant}`;
  const named = (...stems: string[]): string[] =>
    stems.map((stem) => `${folder}${stem}${suffix}.onnx`).filter((path) => there.includes(path));
  // A sequence-to-sequence model is two graphs, or three in older exports.
  const single = named('model');
  const decoders =
    named('decoder_model_merged').length > 0 ? ['decoder_model_merged'] : ['decoder_model', 'decoder_with_past_model'];
  const pair = named('encoder_model', ...decoders);
  const models = single.length > 0 ? single : pair.length > 1 ? pair : there.length === 1 && suffix === '' ? there : [];
  if (models.length === 0)
    throw new LatheError(
      suffix === '' ? 'usage' : 'not-found',
      suffix === ''
        ? `${name}: it has several ONNX files and none with the usual name`
        : `${name}: it has no ONNX file of the variant "${wishes.variant}"`,
      { hint: `It has ${(there.length > 0 ? there : onnx).join(', ')}. Name one: hf:ORG/NAME/FILE.` },
    );
  return models.flatMap((model) => [model, ...externalData(paths, model)]);
}

/** Files that hold the weights of an ONNX file, by the names that exporters give them. */
export function externalData(paths: readonly string[], model: string): readonly string[] {
  return paths.filter((path) => path.startsWith(model) && /^[._]data(?:_\d+)?$/.test(path.slice(model.length)));
}

const FORMATS: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/(^|\/)pytorch_model.*\.bin$|\.pth?$|\.ckpt$/, 'PyTorch pickles'],
  [/\.safetensors$/, 'safetensors of another name'],
  [/\.gguf$/, 'GGUF files'],
  [/\.h5$|\.keras$|saved_model\.pb$/, 'TensorFlow files'],
  [/\.msgpack$/, 'Flax files'],
  [/\.tflite$/, 'TensorFlow Lite files'],
];

function whatIsThere(paths: readonly string[]): string {
  const found = FORMATS.filter(([pattern]) => paths.some((path) => pattern.test(path))).map(([, what]) => what);
  if (found.length === 0) return `It has ${paths.length} files and no weights that Lathe knows.`;
  const pickles = found[0] === 'PyTorch pickles';
  return `It has ${found.join(', ')}, which Lathe does not read.${pickles ? ' Many such repositories have safetensors in a pull request: try hf:ORG/NAME@refs/pr/N.' : ''}`;
}

/** Of a repository's files one, or all of a folder. Throws LatheError('not-found') with what is near. */
export function filesAt(paths: readonly string[], path: string, name: string): readonly string[] {
  if (paths.includes(path)) return [path, ...externalData(paths, path)];
  const inside = paths.filter((file) => file.startsWith(`${path}/`));
  if (inside.length > 0) return inside;
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '';
  const near = paths.filter((file) => file.startsWith(folder));
  const shown = (near.length > 0 ? near : paths).slice(0, 12);
  throw new LatheError('not-found', `${name}: there is no file or folder "${path}"`, {
    hint: `There are ${shown.join(', ')}${shown.length < (near.length || paths.length) ? ', …' : ''}.`,
  });
}
