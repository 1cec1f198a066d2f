import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically, writeFolderAtomically } from '../base/atomic-write.ts';
import { decodeSafetensors, encodeSafetensors, jsonText, LatheError, type Tensor } from '../base/index.ts';
import { liftConstants, type Model } from '../graph/index.ts';
import type { Adapter } from '../nn/index.ts';
import { type PackageContents, TASK_NAMES } from '../pipeline/index.ts';

const WEIGHTS_FILE = 'adapter.safetensors';
const DESCRIPTION_FILE = 'adapter.json';

const schema = z.strictObject({
  format: z.literal('lathe-adapter'),
  version: z.literal(1),
  task: z.enum(TASK_NAMES),
  /** What the adapters are for: how it was named, and what the adapted weights hash to. */
  model: z.strictObject({
    source: z.string(),
    tokenizer: z.string().optional(),
    head: z.string().optional(),
    sha256: z.string(),
  }),
  labels: z.array(z.string()),
  maxLength: z.int(),
  imageSize: z.int().optional(),
  dropout: z.number(),
  seed: z.int(),
  adapters: z.array(
    z.strictObject({ weight: z.string(), a: z.string(), b: z.string(), scale: z.number(), transposed: z.boolean() }),
  ),
  /** Of the package: what `lathe.json` says, and the model card. */
  manifest: z.record(z.string(), z.unknown()),
  readme: z.string(),
});

/** `adapter.json`: what a package is made of, beside the model that it began with. */
export type AdapterDescription = z.infer<typeof schema> & { readonly manifest: PackageContents['manifest'] };

/** Writes a folder with what training with adapters changed: small, where the model is large. */
export async function writeAdapter(
  folder: string,
  description: Omit<AdapterDescription, 'format' | 'version'>,
  trained: ReadonlyMap<string, Tensor>,
): Promise<void> {
  const content: AdapterDescription = { format: 'lathe-adapter', version: 1, ...description };
  await writeFolderAtomically(folder, async (temporary) => {
    await writeFileAtomically(join(temporary, WEIGHTS_FILE), encodeSafetensors(trained, { format: 'lathe-adapter' }));
    await writeFileAtomically(join(temporary, DESCRIPTION_FILE), jsonText(content));
  });
}

/** Reads what `writeAdapter` wrote. Throws LatheError('not-found') or 'corrupt'. */
export async function readAdapter(
  folder: string,
): Promise<{ readonly description: AdapterDescription; readonly trained: ReadonlyMap<string, Tensor> }> {
  const read = (file: string): Promise<Buffer> =>
    readFile(join(folder, file)).catch((cause: unknown) => {
      throw new LatheError('not-found', `"${folder}" holds no adapters: there is no ${file}`, {
        hint: 'lathe train --lora writes them into the folder "adapter" of its run.',
        cause,
      });
    });
  const [text, weights] = [await read(DESCRIPTION_FILE), await read(WEIGHTS_FILE)];
  let json: unknown;
  try {
    json = JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw new LatheError('corrupt', `${join(folder, DESCRIPTION_FILE)}: is not JSON`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    throw new LatheError('corrupt', `${join(folder, DESCRIPTION_FILE)}: ${z.prettifyError(parsed.error)}`);
  }
  const { tensors } = decodeSafetensors(weights, join(folder, WEIGHTS_FILE));
  return { description: parsed.data as AdapterDescription, trained: tensors };
}

/** What the weights that have adapters hash to: whether a model is the one that they were trained beside. */
export function hashOfAdapted(model: Model, adapters: readonly Adapter[]): string {
  const { initializers } = liftConstants(model).model.graph;
  const hash = createHash('sha256');
  for (const { weight } of adapters) {
    const content = initializers.get(weight)?.content;
    hash.update(weight);
    if (content?.kind === 'bytes') hash.update(content.bytes);
  }
  return hash.digest('hex');
}
