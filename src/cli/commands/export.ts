import { z } from 'zod';
import { LatheError, type Tensor } from '../../base/index.ts';
import { type Model, readModel } from '../../graph/index.ts';
import type { HuggingFaceConfig } from '../../nn/index.ts';
import { openPackage } from '../../pipeline/index.ts';
import { readCheckpoint, withParameters } from '../../train/index.ts';
import { checkpointRefusal, formatBytes, parseBytes, writePretrained } from '../../zoo/index.ts';
import { defineCommand } from '../command.ts';

const parameters = z.object({
  package: z.string().meta({ description: 'folder of a package' }),
  out: z.string().meta({ description: 'folder to write', placeholder: 'DIR' }),
  format: z.enum(['safetensors']).default('safetensors').meta({
    description: 'safetensors: a Hugging Face checkpoint, as Python transformers loads it',
  }),
  shardSize: z
    .string()
    .transform((text, context) => {
      const bytes = parseBytes(text);
      if (bytes !== undefined && bytes > 0) return bytes;
      context.addIssue({ code: 'custom', message: 'expected a size, as in 500MB or 2.5GB' });
      return z.NEVER;
    })
    .prefault('5GB')
    .meta({ description: 'weights in a file, at most; more are written in parts [default: 5GB]', placeholder: 'SIZE' }),
  checkpoint: z.string().optional().meta({
    description: 'take the parameters from this checkpoint of a run that made the package',
    placeholder: 'FILE',
  }),
});

export default defineCommand({
  name: 'export',
  summary: 'write a package in the format of other tools',
  description:
    'Writes the weights of a transformer back as a Hugging Face checkpoint: config.json, model.safetensors with the names and layouts of its class in transformers, and its tokenizer. What was fine-tuned here can be used, and trained further, in Python.',
  parameters,
  positional: ['package'],
  examples: [
    ['lathe export models/reviews --out checkpoints/reviews', 'AutoModel.from_pretrained("checkpoints/reviews")'],
    [
      'lathe export models/reviews --checkpoint runs/reviews/checkpoints/last.safetensors --out checkpoints/last',
      'the last parameters of the run instead of the best',
    ],
    ['lathe export models/large --shard-size 500MB --out checkpoints/large', 'in parts'],
  ],
  files: ({ package: folder, checkpoint, out }) => ({
    reads: checkpoint === undefined ? [folder] : [folder, checkpoint],
    writes: [out],
  }),
  async run({ package: folder, out, format, shardSize: shardBytes, checkpoint }, terminal) {
    const opened = await openPackage(folder);
    const { manifest } = opened;
    const config = JSON.parse(await opened.readText('config.json')) as HuggingFaceConfig;
    const refusal = checkpointRefusal(config);
    if (refusal !== undefined) {
      throw new LatheError('unsupported', `"${folder}" cannot be a checkpoint of transformers: ${refusal}`, {
        hint: `Its ONNX file is for other tools as it is: ${opened.modelPath()}`,
      });
    }
    const files = Object.fromEntries(
      await Promise.all(
        Object.keys(manifest.files)
          .filter((name) => !isOurs(name))
          .map(async (name) => [name, await opened.readText(name)] as const),
      ),
    );
    const packed = await readModel(opened.modelPath());
    const model = checkpoint === undefined ? packed : await withCheckpoint(packed, checkpoint);
    const written = await writePretrained(out, model, config, { shardBytes, files });
    terminal.say(`${out}: ${written.tensors} tensors, ${formatBytes(written.bytes)}: ${written.files.join(', ')}`);
    return { out, format, ...written };
  },
});

/** What a checkpoint has otherwise, or not at all; the files of the tokenizer and of the pooling go with it. */
function isOurs(file: string): boolean {
  return file === 'config.json' || file === 'README.md' || file.startsWith('onnx/');
}

/** The model with the parameters of a run's checkpoint, which has to be of the same model. */
async function withCheckpoint(model: Model, path: string): Promise<Model> {
  const read = await readCheckpoint(path);
  if (read === undefined) throw new LatheError('not-found', `--checkpoint: there is no "${path}"`);
  const { initializers } = model.graph;
  const parameters = new Map<string, Tensor>([...read.tensors].filter(([name]) => initializers.has(name)));
  if (parameters.size === 0) {
    throw new LatheError('usage', `--checkpoint: "${path}" has no parameter of the package's model`);
  }
  return withParameters(model, parameters);
}
