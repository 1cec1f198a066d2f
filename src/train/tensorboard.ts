import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { LatheError } from '../base/index.ts';

/** One value of a curve in TensorBoard. */
export interface Scalar {
  /** `train/loss`: what comes before the slash groups the charts. */
  readonly tag: string;
  readonly value: number;
}

/**
 * Writes a TensorBoard event file. Records are appended as they come, so that a file cut short by a crash still opens up
 * to its last whole record.
 */
export class TensorBoardWriter {
  readonly path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Creates `events.out.tfevents.<seconds>.lathe` in `folder`, which must exist; refuses to write over a file. */
  static async create(folder: string, wallTimeMs: number): Promise<TensorBoardWriter> {
    const seconds = String(Math.floor(wallTimeMs / 1000)).padStart(10, '0');
    const path = join(folder, `events.out.tfevents.${seconds}.lathe`);
    let file: FileHandle;
    try {
      file = await open(path, 'ax');
    } catch (cause) {
      throw new LatheError('io', `TensorBoard: cannot create ${path}: ${(cause as Error).message}`, { cause });
    }
    await file.appendFile(encodeRecord(encodeVersionEvent(wallTimeMs)));
    return new TensorBoardWriter(path, file);
  }

  /** Appends the scalars of one step. */
  async write(step: number, scalars: readonly Scalar[], wallTimeMs: number): Promise<void> {
    await this.#file.appendFile(encodeRecord(encodeScalarEvent(step, scalars, wallTimeMs)));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** A record of the TFRecord format: u64 length, its masked CRC, the data, their masked CRC, all little-endian. */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(12 + data.length + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}

/** The first event of a file (tensorflow.Event: 1 wall_time, 3 file_version). */
export function encodeVersionEvent(wallTimeMs: number): Uint8Array {
  return message([doubleField(1, wallTimeMs / 1000), bytesField(3, utf8('brain.Event:2'))]);
}

/** An event of scalars (tensorflow.Event: 2 step, 5 summary; Summary.Value: 1 tag, 2 simple_value). */
export function encodeScalarEvent(step: number, scalars: readonly Scalar[], wallTimeMs: number): Uint8Array {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new LatheError('usage', `TensorBoard: expected a step that is an integer from 0, got ${step}`);
  }
  const values = scalars.map(({ tag, value }) =>
    bytesField(1, message([bytesField(1, utf8(tag)), floatField(2, value)])),
  );
  return message([
    doubleField(1, wallTimeMs / 1000),
    Uint8Array.of(2 << 3, ...varint(step)),
    bytesField(5, message(values)),
  ]);
}

/** CRC-32C rotated right by 15 bits plus a constant, as TFRecord stores it: a CRC of data that hold CRCs is weak. */
export function maskedCrc32c(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** CRC-32C (Castagnoli; RFC 3720, appendix B.4). */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (let index = 0; index < data.length; index++) crc = CRC_TABLE[(crc ^ data[index]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0x82f63b78 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/** Protocol buffer wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
function doubleField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = (field << 3) | 1;
  new DataView(bytes.buffer).setFloat64(1, value, true);
  return bytes;
}

function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = (field << 3) | 5;
  new DataView(bytes.buffer).setFloat32(1, value, true);
  return bytes;
}

function bytesField(field: number, value: Uint8Array): Uint8Array {
  return message([Uint8Array.of((field << 3) | 2, ...varint(value.length)), value]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

function message(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}
