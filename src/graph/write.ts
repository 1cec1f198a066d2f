import { LatheError } from '../base/errors.ts';
import type { Model, StoredTensor } from './ir.ts';
import { writeModelMessage, writeTensorMessage } from './proto/encode.ts';
import { MessageWriter } from './proto/message-writer.ts';
import { concatenated } from './proto/wire.ts';

/** The most that protobuf readers take. */
const LARGEST = 2 ** 31 - 1;

/** Encodes a model as an ONNX file. Throws `unsupported` above 2 GiB, where weights have to be external data. */
export function encodeModel(model: Model): Uint8Array {
  const writer = new MessageWriter();
  writeModelMessage(writer, model);
  return whole(writer);
}

/** Encodes one TensorProto. */
export function encodeTensor(tensor: StoredTensor): Uint8Array {
  const writer = new MessageWriter();
  writeTensorMessage(writer, tensor);
  return whole(writer);
}

function whole(writer: MessageWriter): Uint8Array {
  const pieces = writer.finish();
  notTooLarge(pieces);
  return concatenated(pieces);
}

function notTooLarge(pieces: readonly Uint8Array[]): void {
  let length = 0;
  for (const piece of pieces) length += piece.byteLength;
  if (length > LARGEST) {
    throw new LatheError('unsupported', `the model takes ${length} bytes: an ONNX file holds at most ${LARGEST}`, {
      hint: 'Write it with external data: writeModel(model, path, { externalData: { threshold: 1024, location: "weights.bin" } }).',
    });
  }
}
