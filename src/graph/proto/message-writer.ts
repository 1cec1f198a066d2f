import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { LatheError } from '../../base/errors.ts';
import type { Int } from '../ir.ts';

/** The most that protobuf readers take. */
const LONGEST = 2 ** 31 - 1;

/** Byte fields from this size on are kept by reference until the message is written out. */
export const LARGE = 1 << 15;

/**
 * Writes a protobuf message as a list of pieces: small fields together in buffers of its own, large byte fields as the
 * views they came as. A model of any size is thus written to a file without a second copy of its weights in memory.
 */
export class MessageWriter {
  readonly #small = new BinaryWriter();
  readonly #pieces: Uint8Array[] = [];
  #forks = 0;

  string(tag: number, value: string): void {
    this.#small.uint32(tag).string(value);
  }

  int64(tag: number, value: Int): void {
    this.#small.uint32(tag);
    // Non-negative numbers below 2^31 look the same as uint32, and never become a bigint.
    if (typeof value === 'number' && value >= 0 && value <= 0x7fffffff) this.#small.uint32(value);
    else this.#small.int64(value);
  }

  float(tag: number, value: number): void {
    this.#small.uint32(tag).float(value);
  }

  bytes(tag: number, value: Uint8Array): void {
    this.#small.uint32(tag).uint32(value.byteLength);
    this.#append(value);
  }

  /** A field whose value is encoded already. */
  field(tag: number, encoded: Uint8Array): void {
    this.#small.uint32(tag);
    this.#append(encoded);
  }

  /** A nested message. Large byte fields in it are copied: where there may be some, write it in pieces. */
  message(tag: number, write: (inner: MessageWriter) => void): void {
    this.#small.uint32(tag).fork();
    this.#forks++;
    write(this);
    this.#forks--;
    this.#small.join();
  }

  /** A nested message whose large byte fields are kept by reference. */
  messageInPieces(tag: number, write: (inner: MessageWriter) => void): void {
    if (this.#forks > 0) {
      this.message(tag, write);
      return;
    }
    const inner = new MessageWriter();
    write(inner);
    const pieces = inner.finish();
    this.#small.uint32(tag).uint32(lengthOf(pieces));
    for (const piece of pieces) this.#append(piece);
  }

  /** The pieces of the message, in order. Throws `unsupported` where they are more than protobuf readers take. */
  finish(): Uint8Array[] {
    this.#flush();
    lengthOf(this.#pieces);
    return this.#pieces;
  }

  #append(bytes: Uint8Array): void {
    if (bytes.byteLength < LARGE || this.#forks > 0) {
      this.#small.raw(bytes);
      return;
    }
    this.#flush();
    this.#pieces.push(bytes);
  }

  #flush(): void {
    const written = this.#small.finish();
    if (written.byteLength > 0) this.#pieces.push(written);
  }
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.byteLength;
  if (length > LONGEST) {
    throw new LatheError('unsupported', `the model takes ${length} bytes: an ONNX file holds at most ${LONGEST}`, {
      hint: 'Write its weights to a file beside it: writeModel(model, path, { externalData: {} }).',
    });
  }
  return length;
}
