import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Int } from '../ir.ts';

/** Byte fields from this size on are kept by reference until the message is written out. */
const LARGE = 1 << 15;

/**
 * Writes a protobuf message as a list of pieces: small fields together in buffers of its own, large byte fields as the
 * views they came as. A model of any size is thus written to a file without a second copy of its weights in memory.
 */
export class MessageWriter {
  readonly #small = new BinaryWriter();
  readonly #pieces: Uint8Array[] = [];

  string(tag: number, value: string): void {
    this.#small.uint32(tag).string(value);
  }

  int64(tag: number, value: Int): void {
    this.#small.uint32(tag).int64(value);
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

  message(tag: number, write: (inner: MessageWriter) => void): void {
    const inner = new MessageWriter();
    write(inner);
    const pieces = inner.finish();
    let length = 0;
    for (const piece of pieces) length += piece.byteLength;
    this.#small.uint32(tag).uint32(length);
    for (const piece of pieces) this.#append(piece);
  }

  /** The pieces of the message, in order. */
  finish(): Uint8Array[] {
    this.#flush();
    return this.#pieces;
  }

  #append(bytes: Uint8Array): void {
    if (bytes.byteLength < LARGE) {
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
