import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { byteSize } from '../base/dtype.ts';
import { LatheError } from '../base/errors.ts';
import { formatDims, sizeOf } from '../base/shape.ts';
import type { Model, StoredTensor, TensorContent } from './ir.ts';
import { mapTensors } from './map-tensors.ts';

export type ExternalContent = Extract<TensorContent, { kind: 'external' }>;

/** A tensor whose content is in another file. */
export type ExternalTensor = StoredTensor & { readonly content: ExternalContent };

/** Where a tensor's bytes lie, once it is certain that they are there. */
export interface ExternalRegion {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** A read() takes no more than this at once. */
const MOST_AT_ONCE = 1 << 30;

/**
 * The model with its external data in memory. Reads only the bytes that its tensors need, each checked to lie in a file
 * in the model's folder before anything is allocated; tensors that share a region share its bytes. Throws
 * `invalid-model` where a path leads out of that folder, a file is too short, or regions overlap; `not-found` where
 * there is no file.
 */
export async function loadExternalData(model: Model): Promise<Model> {
  const tensors = externalTensorsOf(model);
  if (tensors.size === 0) return model;
  const files = new ExternalFiles();
  try {
    const regions = new Map<ExternalTensor, ExternalRegion>();
    for (const tensor of tensors) regions.set(tensor, await files.locate(tensor));
    const loaded = new Map<StoredTensor, StoredTensor>();
    const known = new Map<string, Uint8Array>();
    for (const [tensor, region] of regions) {
      const key = `${region.path}\0${region.offset}\0${region.length}`;
      const bytes = known.get(key) ?? (await files.load(region, tensor));
      known.set(key, bytes);
      loaded.set(tensor, { ...tensor, content: { kind: 'bytes', bytes } });
    }
    return mapTensors(model, (tensor) => loaded.get(tensor) ?? tensor);
  } finally {
    await files.close();
  }
}

/** One external tensor, loaded: of a model too large for memory, the weights that are needed. */
export async function loadExternalTensor(tensor: StoredTensor): Promise<StoredTensor> {
  if (!isExternal(tensor)) return tensor;
  const files = new ExternalFiles();
  try {
    const bytes = await files.load(await files.locate(tensor), tensor);
    return { ...tensor, content: { kind: 'bytes', bytes } };
  } finally {
    await files.close();
  }
}

export function isExternal(tensor: StoredTensor): tensor is ExternalTensor {
  return tensor.content.kind === 'external';
}

export function externalTensorsOf(model: Model): ReadonlySet<ExternalTensor> {
  const tensors = new Set<ExternalTensor>();
  mapTensors(model, (tensor) => {
    if (isExternal(tensor)) tensors.add(tensor);
    return tensor;
  });
  return tensors;
}

/**
 * What is wrong with the path of external data, or undefined. It has to be relative and to stay in the model's folder:
 * otherwise a model from the internet could read any file of whoever opens it.
 */
export function problemWithLocation(location: string): string | undefined {
  if (location === '') return 'has no location';
  if (location.includes('\0')) return 'has a location with a zero byte';
  if (isAbsolute(location) || /^([a-zA-Z]:|[\\/])/.test(location)) return `has the absolute path "${location}"`;
  if (location.split(/[\\/]/).includes('..'))
    return `has the path "${location}", which leads out of the model's folder`;
  return undefined;
}

interface ExternalFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly size: number;
  /** The regions located so far, and how long they are together. */
  readonly regions: Set<string>;
  claimed: number;
}

/** The data files of a model, open for reading. To be closed. */
export class ExternalFiles {
  readonly #files = new Map<string, ExternalFile>();
  /** By what a tensor says of its file: a model names the same one ten thousand times. */
  readonly #paths = new Map<string, string>();

  /** Finds the bytes of a tensor, and makes sure that they are all there. */
  async locate(tensor: ExternalTensor): Promise<ExternalRegion> {
    const { content } = tensor;
    const where = nameOf(tensor);
    const file = await this.#open(content, where);
    const { path, size } = file;
    const expected = tensor.dtype === 'undefined' ? undefined : byteSize(tensor.dtype, sizeOf(tensor.dims));
    const length = content.length ?? expected ?? Math.max(0, size - content.offset);
    if (expected !== undefined && length !== expected) {
      throw new LatheError(
        'invalid-model',
        `${where}: ${tensor.dtype}${formatDims(tensor.dims)} needs ${expected} bytes, but its external data has ${length}`,
      );
    }
    if (content.offset + length > size) throw tooShort(tensor, path, size);
    const key = `${content.offset} ${length}`;
    if (!file.regions.has(key)) {
      file.regions.add(key);
      file.claimed += length;
    }
    // Equal regions are shared weights; others that overlap would take memory that no file has to back.
    if (file.claimed > size) {
      throw new LatheError(
        'invalid-model',
        `${where}: the tensors in "${path}" overlap: together they take ${file.claimed} bytes of ${size}`,
      );
    }
    return { path, offset: content.offset, length };
  }

  async load(region: ExternalRegion, tensor: ExternalTensor): Promise<Uint8Array> {
    const bytes = allocate(region.length, tensor);
    let at = 0;
    for await (const chunk of this.read(region, bytes)) at += chunk.byteLength;
    if (at !== region.length) throw tooShort(tensor, region.path, region.offset + at);
    return bytes;
  }

  /** The bytes of a region in chunks: into `into`, which is as long, or each into the same buffer of a few megabytes. */
  async *read(region: ExternalRegion, into?: Uint8Array): AsyncIterable<Uint8Array> {
    const { handle } = this.#files.get(region.path)!;
    const buffer = into ?? new Uint8Array(Math.min(region.length, 1 << 22));
    for (let done = 0; done < region.length; ) {
      const start = into === undefined ? 0 : done;
      const most = Math.min(region.length - done, buffer.byteLength - start, MOST_AT_ONCE);
      const { bytesRead } = await handle.read(buffer, start, most, region.offset + done);
      if (bytesRead === 0) return;
      yield buffer.subarray(start, start + bytesRead);
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    for (const { handle } of this.#files.values()) await handle.close();
    this.#files.clear();
    this.#paths.clear();
  }

  async #open(content: ExternalContent, where: string): Promise<ExternalFile> {
    const key = `${content.folder}\0${content.linkedFolder}\0${content.location}`;
    const path = this.#paths.get(key) ?? (await resolveExternal(content, where));
    this.#paths.set(key, path);
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    // Asked before opening: to open a named pipe would wait for ever.
    if (!(await stat(path)).isFile()) {
      throw new LatheError('invalid-model', `${where}: its external data "${path}" is no regular file`);
    }
    const handle = await open(path, 'r');
    const file = { path, handle, size: (await handle.stat()).size, regions: new Set<string>(), claimed: 0 };
    this.#files.set(path, file);
    return file;
  }
}

/** The file of external data, if it may be read. */
async function resolveExternal(content: ExternalContent, where: string): Promise<string> {
  const problem = problemWithLocation(content.location);
  if (problem !== undefined) {
    throw new LatheError('invalid-model', `${where}: its external data ${problem}`, {
      hint: "External data has to lie in the model's folder, under a relative path.",
    });
  }
  if (content.folder === undefined) {
    throw new LatheError(
      'invalid-model',
      `${where}: its data is in "${content.location}", beside a file not known here`,
      { hint: 'Read the model with readModel(path), so that the folder is known.' },
    );
  }
  return resolveInside(content, where);
}

/** Symbolic links count as what they point to: in the Hugging Face cache, both the model and its data are links into one folder. */
async function resolveInside(content: ExternalContent, where: string): Promise<string> {
  const path = await realpath(join(content.folder!, content.location)).catch((cause: NodeJS.ErrnoException) => {
    throw new LatheError('not-found', `${where}: its data file "${content.location}" cannot be read (${cause.code})`, {
      hint: `Expected it in "${content.folder}", beside the model.`,
      cause,
    });
  });
  for (const folder of [content.folder, content.linkedFolder]) {
    if (folder === undefined) continue;
    const inside = relative(await realpath(folder), path);
    if (inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside)) return path;
  }
  throw new LatheError(
    'invalid-model',
    `${where}: its external data "${content.location}" is a symbolic link that leads out of the model's folder`,
    { hint: 'Copy the data file beside the model if you trust it.' },
  );
}

function allocate(length: number, tensor: StoredTensor): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new LatheError('unsupported', `${nameOf(tensor)}: no memory for its ${length} bytes of external data`, {
      cause,
    });
  }
}

function tooShort(tensor: ExternalTensor, path: string, size: number): LatheError {
  const { offset, length } = tensor.content;
  return new LatheError(
    'invalid-model',
    `${nameOf(tensor)}: its external data begins at byte ${offset}${length === undefined ? '' : ` and takes ${length}`}, but "${path}" has ${size} bytes`,
    { hint: 'Check that the download of the data file is complete.' },
  );
}

function nameOf(tensor: StoredTensor): string {
  return `tensor "${tensor.name ?? ''}"`;
}
