import type { Model, StoredTensor } from './ir.ts';
import { writeModelMessage, writeTensorMessage } from './proto/encode.ts';
import { MessageWriter } from './proto/message-writer.ts';
import { concatenated } from './proto/wire.ts';

/** Encodes a model as an ONNX file. Throws `unsupported` above 2 GiB, where weights have to be external data. */
export function encodeModel(model: Model): Uint8Array {
  const writer = new MessageWriter();
  writeModelMessage(writer, model);
  return concatenated(writer.finish());
}

/** Encodes one TensorProto. */
export function encodeTensor(tensor: StoredTensor): Uint8Array {
  const writer = new MessageWriter();
  writeTensorMessage(writer, tensor);
  return concatenated(writer.finish());
}
