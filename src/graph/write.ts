import { basename, dirname, join, resolve } from 'node:path';
import { writeFileAtomically } from '../base/atomic-write.ts';
import { LatheError } from '../base/errors.ts';
import { encodeInPieces } from './encoding.ts';
import {
  ExternalFiles,
  type ExternalRegion,
  type ExternalTensor,
  externalTensorsOf,
  isExternal,
  problemWithLocation,
} from './external-data.ts';
import type { Model, StoredTensor } from './ir.ts';
import { mapTensors } from './map-tensors.ts';

/** What onnx.proto asks for, so that the data file can be mapped into memory. */
const ALIGNMENT = 4096;

export interface ExternalDataOptions {
  /** Tensors of at least so many bytes go to the data file; default 1024. */
  readonly threshold?: number;
  /** The data file, relative to the model's folder; default the model's name with `_data` behind it. */
  readonly location?: string;
}

/**
 * Writes an ONNX file: readers see the old file or the new one, never a part. With `externalData`, large weights go to
 * a data file beside it, as models over 2 GiB need; it is in place before the model that refers to it. Where a model
 * refers to data of another folder, that data is copied along then, and refused without. Throws `io` where the disk
 * does not take it.
 */
export async function writeModel(
  model: Model,
  path: string,
  options: { readonly externalData?: ExternalDataOptions } = {},
): Promise<void> {
  if (options.externalData !== undefined) {
    await writeFileAtomically(path, encodeInPieces(await writeData(model, path, options.externalData)));
    return;
  }
  for (const { name, content } of externalTensorsOf(model)) {
    if (content.folder === undefined || content.folder === resolve(dirname(path))) continue;
    throw new LatheError(
      'usage',
      `cannot write "${path}": tensor "${name ?? ''}" is in "${content.location}" of the folder "${content.folder}"`,
      { hint: 'Load it first (loadExternalData), or write with `externalData` to copy it.' },
    );
  }
  await writeFileAtomically(path, encodeInPieces(model));
}

/** Writes the data file and returns the model that refers to it. */
async function writeData(model: Model, path: string, options: ExternalDataOptions): Promise<Model> {
  const { threshold = 1024, location = `${basename(path)}_data` } = options;
  const problem = problemWithLocation(location);
  if (problem !== undefined || resolve(dirname(path), location) === resolve(path)) {
    throw new LatheError(
      'usage',
      problem === undefined ? `the data file "${location}" is the model file itself` : `the data file ${problem}`,
    );
  }
  const sources: (Uint8Array | ExternalRegion)[] = [];
  const placed = new Map<StoredTensor, StoredTensor>();
  let end = 0;
  const place = (tensor: StoredTensor, source: Uint8Array | ExternalRegion): void => {
    const length = source instanceof Uint8Array ? source.byteLength : source.length;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    end = offset + length;
    sources.push(source);
    const entries = [
      ['location', location],
      ['offset', String(offset)],
      ['length', String(length)],
    ] as const;
    placed.set(tensor, { ...tensor, content: { kind: 'external', location, offset, length, entries } });
  };
  const external: ExternalTensor[] = [];
  mapTensors(model, (tensor) => {
    if (isExternal(tensor)) external.push(tensor);
    else if (tensor.content.kind === 'bytes' && tensor.content.bytes.byteLength >= threshold && !placed.has(tensor)) {
      place(tensor, tensor.content.bytes);
    }
    return tensor;
  });
  const files = new ExternalFiles();
  try {
    for (const tensor of new Set(external)) place(tensor, await files.locate(tensor));
    if (sources.length > 0) await writeFileAtomically(join(dirname(path), location), alignedChunks(sources, files));
  } finally {
    await files.close();
  }
  return mapTensors(model, (tensor) => placed.get(tensor) ?? tensor);
}

async function* alignedChunks(
  sources: readonly (Uint8Array | ExternalRegion)[],
  files: ExternalFiles,
): AsyncIterable<Uint8Array> {
  let at = 0;
  for (const source of sources) {
    const gap = Math.ceil(at / ALIGNMENT) * ALIGNMENT - at;
    if (gap > 0) yield new Uint8Array(gap);
    at += gap;
    if (source instanceof Uint8Array) yield source;
    else yield* files.read(source);
    at += source instanceof Uint8Array ? source.byteLength : source.length;
  }
}
