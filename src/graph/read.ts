import { LatheError } from '../base/errors.ts';
import type { Model, StoredTensor } from './ir.ts';
import { decodeModelMessage, decodeTensorMessage } from './proto/decode.ts';

/**
 * Decodes an ONNX model (a ModelProto of onnx 1.23). Weights stay views of `bytes`. Throws `invalid-model` for anything
 * that is not a model; whether the model makes sense is for `check` to say.
 */
export function decodeModel(bytes: Uint8Array): Model {
  return decoding('model', bytes, decodeModelMessage);
}

/** Decodes one TensorProto, as ONNX test data holds it. */
export function decodeTensor(bytes: Uint8Array): StoredTensor {
  return decoding('tensor', bytes, decodeTensorMessage);
}

function decoding<T>(what: string, bytes: Uint8Array, decode: (bytes: Uint8Array) => T): T {
  if (bytes.byteLength === 0) {
    throw new LatheError('invalid-model', `the file is empty: expected an ONNX ${what}`);
  }
  try {
    // A Buffer's own slice() and subarray() are not those of a Uint8Array, so that its views must not leave here.
    return decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    if (error instanceof LatheError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new LatheError('invalid-model', `not an ONNX ${what}, or a damaged one (${reason})`, {
      hint: 'Check that the path names an ONNX file, and that its download is complete.',
      cause: error,
    });
  }
}
