import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LatheError } from '../base/errors.ts';
import { decodeModel } from './encoding.ts';
import { isExternal, loadExternalData } from './external-data.ts';
import type { Model } from './ir.ts';
import { mapTensors } from './map-tensors.ts';

/** The most that protobuf readers take. */
const LARGEST = 2 ** 31 - 1;

/**
 * Reads an ONNX file, and the data files beside it unless `loadExternalData` is false (then `loadExternalData(model)` or
 * `loadExternalTensor(tensor)` do it later). Throws `not-found`, `io`, or `invalid-model` for a file that is no model.
 */
export async function readModel(path: string, options: { readonly loadExternalData?: boolean } = {}): Promise<Model> {
  const bytes = await readBytes(path);
  const folder = resolve(dirname(path));
  const linkedFolder = dirname(await realpath(path));
  const linked = linkedFolder === folder ? {} : { linkedFolder };
  let model: Model;
  try {
    model = decodeModel(bytes);
  } catch (error) {
    if (!(error instanceof LatheError)) throw error;
    throw new LatheError(error.code, `"${path}": ${error.message}`, { cause: error });
  }
  const located = mapTensors(model, (tensor) =>
    isExternal(tensor) ? { ...tensor, content: { ...tensor.content, folder, ...linked } } : tensor,
  );
  return (options.loadExternalData ?? true) ? loadExternalData(located) : located;
}

async function readBytes(path: string): Promise<Uint8Array> {
  let file: FileHandle;
  try {
    // Asked before opening: to open a named pipe would wait for ever.
    if (!(await stat(path)).isFile()) throw new LatheError('io', `"${path}" is not a file: expected an ONNX model`);
    file = await open(path, 'r');
  } catch (cause) {
    if (cause instanceof LatheError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new LatheError('not-found', `there is no model file "${path}"`, { cause });
    throw new LatheError('io', `cannot read the model "${path}": ${message}`, { cause });
  }
  try {
    const { size } = await file.stat();
    if (size > LARGEST) {
      throw new LatheError(
        'invalid-model',
        `"${path}" has ${size} bytes: an ONNX file holds at most ${LARGEST}, larger models keep weights in files beside it`,
      );
    }
    return await file.readFile();
  } catch (cause) {
    if (cause instanceof LatheError) throw cause;
    throw new LatheError('io', `cannot read the model "${path}": ${(cause as Error).message}`, { cause });
  } finally {
    await file.close();
  }
}
