import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, normalize, sep } from 'node:path';
import { writeFolderAtomically } from '../base/atomic-write.ts';
import { jsonText, LatheError, sizeOf } from '../base/index.ts';
import { type Model, writeModel } from '../graph/index.ts';
import { MANIFEST_FILE, type Manifest, manifestSchema } from './manifest.ts';

/** The folder of a model that is ready for use, opened. */
export interface Package {
  readonly folder: string;
  readonly manifest: Manifest;
  /** The path of a variant's model file. Throws LatheError('not-found') for a variant that the package does not have. */
  modelPath(variant?: string): string;
  readText(file: string): Promise<string>;
  /** Reads every file and compares it with its hash. Throws LatheError('corrupt') that names the first that differs. */
  verify(): Promise<void>;
}

export interface PackageContents {
  readonly manifest: Omit<Manifest, 'format' | 'version' | 'variants' | 'signature' | 'files'>;
  readonly model: Model;
  /** Text files by their path in the package: config.json, tokenizer.json, README.md, … */
  readonly files: Readonly<Record<string, string>>;
}

export const MODEL_FILE = 'onnx/model.onnx';

/**
 * Writes a package: a Hugging Face ONNX repository folder, which other tools load as it is, plus lathe.json. It appears
 * whole or not at all, and takes the place of one that was there. Throws LatheError('usage') when the folder exists and
 * is no package, so that nobody's files are replaced by mistake.
 */
export async function writePackage(folder: string, contents: PackageContents): Promise<Package> {
  await refuseOtherFolder(folder);
  await writeFolderAtomically(folder, async (temporary) => {
    const files: Record<string, { bytes: number; sha256: string }> = {};
    for (const [name, text] of Object.entries(contents.files)) {
      const path = inside(temporary, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      files[name] = await describeFile(path);
    }
    await mkdir(join(temporary, 'onnx'), { recursive: true });
    await writeModel(contents.model, join(temporary, MODEL_FILE));
    files[MODEL_FILE] = await describeFile(join(temporary, MODEL_FILE));
    const manifest: Manifest = {
      format: 'lathe-package',
      version: 1,
      ...contents.manifest,
      signature: signatureOf(contents.model),
      variants: {
        fp32: { file: MODEL_FILE, bytes: files[MODEL_FILE].bytes, parameters: parametersOf(contents.model) },
      },
      files,
    };
    await writeFile(join(temporary, MANIFEST_FILE), jsonText(manifestSchema.parse(manifest)));
  });
  return openPackage(folder);
}

/** Opens a package and checks that its files are there with the right size; `verify` reads them whole. */
export async function openPackage(folder: string): Promise<Package> {
  let text: string;
  try {
    text = await readFile(join(folder, MANIFEST_FILE), 'utf8');
  } catch (cause) {
    throw new LatheError('not-found', `"${folder}" is not a package: it has no ${MANIFEST_FILE}`, {
      hint: 'Packages are what `lathe train --out FOLDER` writes.',
      cause,
    });
  }
  const manifest = parseManifest(text, folder);
  for (const [name, { bytes }] of Object.entries(manifest.files)) {
    const size = await stat(inside(folder, name)).then(
      (facts) => facts.size,
      () => undefined,
    );
    if (size !== bytes) {
      throw new LatheError(
        'corrupt',
        `package "${folder}": "${name}" should have ${bytes} bytes, ${size === undefined ? 'it is missing' : `it has ${size}`}`,
        {
          hint: 'Copy the package again, or train it again.',
        },
      );
    }
  }
  return {
    folder,
    manifest,
    modelPath(variant = 'fp32') {
      const found = manifest.variants[variant];
      if (found === undefined)
        throw new LatheError(
          'not-found',
          `package "${folder}" has no variant "${variant}"; it has ${Object.keys(manifest.variants).join(', ')}`,
        );
      return inside(folder, found.file);
    },
    readText: (file) => readFile(inside(folder, file), 'utf8'),
    async verify() {
      for (const [name, { sha256 }] of Object.entries(manifest.files)) {
        const found = await describeFile(inside(folder, name));
        if (found.sha256 !== sha256)
          throw new LatheError('corrupt', `package "${folder}": "${name}" has changed since it was written`, {
            hint: 'Copy the package again, or train it again.',
          });
      }
    },
  };
}

function parseManifest(text: string, folder: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LatheError('corrupt', `package "${folder}": ${MANIFEST_FILE} is not JSON`, { cause });
  }
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new LatheError(
    'corrupt',
    `package "${folder}": ${MANIFEST_FILE}, ${issue!.path.join('.') || 'top level'}: ${issue!.message}`,
    {
      hint: 'It may have been written by a newer version of Lathe.',
    },
  );
}

/** A manifest may come from anywhere: its paths must not lead out of its folder. */
export function inside(folder: string, file: string): string {
  const path = normalize(file);
  if (path.startsWith('..') || path.startsWith(sep) || /^[a-zA-Z]:/.test(path))
    throw new LatheError('corrupt', `package "${folder}": the path "${file}" leads out of it`);
  return join(folder, path);
}

/** Throws LatheError('usage') when a package would take the place of something else. */
export async function refuseOtherFolder(folder: string): Promise<void> {
  const exists = await stat(folder).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  const isPackage = await stat(join(folder, MANIFEST_FILE)).then(
    () => true,
    () => false,
  );
  if (!isPackage)
    throw new LatheError('usage', `"${folder}" exists and is not a package`, {
      hint: 'Choose another --out, or remove it.',
    });
}

export async function describeFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).byteLength;
  }
  return { bytes, sha256: hash.digest('hex') };
}

export function signatureOf({ graph }: Model): Manifest['signature'] {
  const describe = ({ name, type }: (typeof graph.inputs)[number]) => {
    if (type?.kind !== 'tensor')
      throw new LatheError('unsupported', `value "${name}" of the model is not a tensor of a known type`);
    return { name, dtype: type.dtype, shape: [...(type.shape ?? [])] };
  };
  return { inputs: graph.inputs.map(describe), outputs: graph.outputs.map(describe) };
}

export function parametersOf({ graph }: Model): number {
  let count = 0;
  for (const { dims } of graph.initializers.values()) count += sizeOf(dims);
  return count;
}
