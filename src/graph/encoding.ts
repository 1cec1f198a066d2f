import { LatheError } from '../base/errors.ts';
import type { Model, StoredTensor } from './ir.ts';
import { decodeModelMessage, decodeTensorMessage } from './proto/decode.ts';
import { writeModelMessage, writeTensorMessage } from './proto/encode.ts';
import { MessageWriter } from './proto/message-writer.ts';
import { concatenated } from './proto/wire.ts';

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

/** Encodes a model as an ONNX file. Throws `unsupported` above 2 GiB, where weights have to be external data. */
export function encodeModel(model: Model): Uint8Array {
  return concatenated(encodeInPieces(model));
}

/** As {@link encodeModel}, without joining the pieces: large weights are the model's own, not copied. */
export function encodeInPieces(model: Model): readonly Uint8Array[] {
  return encoding('model', (writer) => writeModelMessage(writer, model));
}

/** Encodes one TensorProto. */
export function encodeTensor(tensor: StoredTensor): Uint8Array {
  return concatenated(encoding('tensor', (writer) => writeTensorMessage(writer, tensor)));
}

function encoding(what: string, write: (writer: MessageWriter) => void): readonly Uint8Array[] {
  const writer = new MessageWriter();
  try {
    write(writer);
    return writer.finish();
  } catch (cause) {
    if (cause instanceof LatheError) throw cause;
    throw new LatheError('invalid-model', `the ${what} cannot be written as ONNX: ${(cause as Error).message}`, {
      cause,
    });
  }
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
