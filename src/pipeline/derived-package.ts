import { constants } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFolderAtomically } from '../base/atomic-write.ts';
import { jsonText, LatheError } from '../base/index.ts';
import { type Model, writeModel } from '../graph/index.ts';
import {
  type Lineage,
  MANIFEST_FILE,
  type Manifest,
  manifestSchema,
  type Origin,
  type StepRecord,
} from './manifest.ts';
import {
  describeFile,
  inside,
  MODEL_FILE,
  openPackage,
  type Package,
  parametersOf,
  refuseOtherFolder,
  signatureOf,
} from './package.ts';

/** Where the variants of a model lie, as transformers.js looks for them by its `dtype`. */
export const VARIANT_FILES = {
  fp32: MODEL_FILE,
  fp16: 'onnx/model_fp16.onnx',
  q8: 'onnx/model_quantized.onnx',
  int8: 'onnx/model_int8.onnx',
  uint8: 'onnx/model_uint8.onnx',
  q4: 'onnx/model_q4.onnx',
  q4f16: 'onnx/model_q4f16.onnx',
} as const;
export type VariantName = keyof typeof VARIANT_FILES;

/** A smaller form of a package's model: the same inputs and outputs. */
export interface NewVariant {
  readonly model: Model;
  readonly step: StepRecord;
  readonly batchInvariant?: boolean;
}

export interface DerivedContents {
  /** Takes the place of the source's model; the source's other variants are not kept then. Default: all are kept. */
  readonly model?: Model;
  /** Of a new model: how it was made, and from what. */
  readonly lineage?: Lineage;
  /** Variants to add, or to put in the place of those of the source. */
  readonly variants?: Readonly<Partial<Record<VariantName, NewVariant>>>;
  /** What was measured of what is new; of what is kept, the source's figures stay. */
  readonly metrics?: Manifest['metrics'];
  /** Text files that take the place of the source's, or come beside them. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * Writes a package that is made from another: the same task, processing and files, with a new model or further variants of
 * the one there is. It appears whole or not at all; `folder` may be that of the source. Throws 'usage' when the folder
 * exists and is no package, and 'corrupt' for a source whose files are not there.
 */
export async function writeDerivedPackage(
  folder: string,
  source: Package,
  contents: DerivedContents,
): Promise<Package> {
  await refuseOtherFolder(folder);
  const { manifest } = source;
  const anew = contents.model !== undefined;
  if (anew !== (contents.lineage !== undefined)) {
    throw new LatheError('internal', 'a new model needs its lineage, and only a new model has one');
  }
  const added = Object.entries(contents.variants ?? {}) as [VariantName, NewVariant][];
  const models: [VariantName, Model][] = [
    ...(anew ? [['fp32', contents.model!] as [VariantName, Model]] : []),
    ...added.map(([name, { model }]): [VariantName, Model] => [name, model]),
  ];
  const written = new Set(models.map(([name]) => name as string));
  const isKept = (variant = 'fp32'): boolean => !anew && !written.has(variant);
  const dropped = new Set(
    Object.entries(manifest.variants).flatMap(([name, { file }]) => (isKept(name) ? [] : filesOf(manifest, file))),
  );
  await writeFolderAtomically(folder, async (temporary) => {
    const files: Record<string, Manifest['files'][string]> = {};
    const place = async (name: string, fill: (path: string) => Promise<void>): Promise<void> => {
      const path = inside(temporary, name);
      await mkdir(dirname(path), { recursive: true });
      await fill(path);
      files[name] = await describeFile(path);
    };
    for (const name of Object.keys(manifest.files)) {
      if (dropped.has(name) || contents.files?.[name] !== undefined) continue;
      await place(name, (path) => copyFile(inside(source.folder, name), path, constants.COPYFILE_FICLONE));
    }
    for (const [name, text] of Object.entries(contents.files ?? {})) await place(name, (path) => writeFile(path, text));
    const variants: Record<string, Manifest['variants'][string]> = {};
    for (const [name, facts] of Object.entries(manifest.variants)) if (isKept(name)) variants[name] = facts;
    for (const [name, model] of models) {
      const file = VARIANT_FILES[name];
      await place(file, (path) => writeModel(model, path));
      const { step, batchInvariant } = contents.variants?.[name] ?? {};
      variants[name] = {
        file,
        bytes: files[file]!.bytes,
        parameters: parametersOf(model),
        ...(batchInvariant !== undefined && { batchInvariant }),
        ...(step && { step }),
      };
    }
    const derived: Manifest = {
      ...manifest,
      ...(anew && { signature: signatureOf(contents.model!), lineage: contents.lineage! }),
      variants,
      metrics: [...manifest.metrics.filter(({ variant }) => isKept(variant)), ...(contents.metrics ?? [])],
      files,
    };
    await writeFile(join(temporary, MANIFEST_FILE), jsonText(manifestSchema.parse(derived)));
  });
  return openPackage(folder);
}

/** A model's file with those of its external data. */
function filesOf({ files }: Manifest, file: string): string[] {
  return Object.keys(files).filter(
    (name) => name === file || name.startsWith(`${file}_data`) || name === `${file}.data`,
  );
}

/** What a package's lineage says of a model that it was made from. */
export function originOf({ manifest }: Package, variant = 'fp32'): Origin {
  return { sha256: manifest.files[manifest.variants[variant]!.file]!.sha256, lineage: manifest.lineage };
}
