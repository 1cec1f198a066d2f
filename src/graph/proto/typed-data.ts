import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { DATA_TYPES, type DataType } from '../../base/dtype.ts';
import { codesOf, fromCodes } from '../../base/elements.ts';
import { LatheError } from '../../base/errors.ts';
import { TENSOR } from './fields.ts';

/*
 * Between the typed lists of TensorProto (float_data, int32_data, …) and raw little-endian bytes. Both ways go through
 * the packed form of the list, which for floats is the raw form itself: nothing is copied.
 */

const FLOAT = TENSOR.floatData >>> 3;
const INT32 = TENSOR.int32Data >>> 3;
const INT64 = TENSOR.int64Data >>> 3;
const DOUBLE = TENSOR.doubleData >>> 3;
const UINT64 = TENSOR.uint64Data >>> 3;

/** The number of the field that lists elements of this type; undefined for strings and for no type. */
export function typedFieldOf(dtype: DataType | 'undefined'): number | undefined {
  switch (dtype) {
    case 'undefined':
    case 'string':
      return undefined;
    case 'float32':
    case 'complex64':
      return FLOAT;
    case 'float64':
    case 'complex128':
      return DOUBLE;
    case 'int64':
      return INT64;
    case 'uint32':
    case 'uint64':
      return UINT64;
    default:
      return INT32;
  }
}

/** Raw bytes of a packed list. For types of 2 and 4 bits each item of the list is a byte of raw data already. */
export function rawFromTyped(dtype: DataType, packed: Uint8Array, where: string): Uint8Array {
  const field = typedFieldOf(dtype);
  if (field === FLOAT || field === DOUBLE) {
    const width = field === FLOAT ? 4 : 8;
    if (packed.byteLength % width !== 0) {
      throw new LatheError('invalid-model', `${where}: its list of numbers ends within a number`);
    }
    return packed;
  }
  let count = 0;
  for (let index = 0; index < packed.length; index++) if (packed[index]! < 0x80) count++;
  const reader = new BinaryReader(packed);
  if (DATA_TYPES[dtype].bits === 6) {
    const codes = new Uint8Array(count);
    for (let index = 0; reader.pos < reader.len; index++) codes[index] = reader.int32();
    return fromCodes(dtype, [count], codes).data as Uint8Array;
  }
  const width = Math.max(1, DATA_TYPES[dtype].bits >>> 3);
  const raw = new Uint8Array(count * width);
  const view = new DataView(raw.buffer);
  for (let at = 0; reader.pos < reader.len; at += width) {
    if (field === INT64) view.setBigInt64(at, BigInt(reader.int64()), true);
    else if (width === 8) view.setBigUint64(at, BigInt(reader.uint64()), true);
    else {
      const value = reader.int32();
      if (width === 4) view.setInt32(at, value, true);
      else if (width === 2) view.setInt16(at, value, true);
      else view.setInt8(at, value);
    }
  }
  return raw;
}

/** The other way, of `count` elements. Signed types are sign-extended; every other type is written as its bits. */
export function typedFromRaw(dtype: DataType, raw: Uint8Array, count: number, where: string): Uint8Array {
  const field = typedFieldOf(dtype);
  if (field === FLOAT || field === DOUBLE) return raw;
  const width = Math.max(1, DATA_TYPES[dtype].bits >>> 3);
  if (raw.byteLength % width !== 0) {
    throw new LatheError('invalid-model', `${where}: ${raw.byteLength} bytes are no whole number of ${dtype} elements`);
  }
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const signed = DATA_TYPES[dtype].kind === 'int' && DATA_TYPES[dtype].bits >= 8;
  const writer = new BinaryWriter();
  if (DATA_TYPES[dtype].bits === 6) {
    const elements = Math.min(count, Math.floor((raw.byteLength * 8) / 6));
    const codes = codesOf({ dtype, dims: [elements], data: raw });
    for (const code of codes as Uint8Array) writer.uint32(code);
    return writer.finish();
  }
  for (let at = 0; at < raw.byteLength; at += width) {
    if (field === INT64) writer.int64(view.getBigInt64(at, true));
    else if (width === 8) writer.uint64(view.getBigUint64(at, true));
    else if (width === 4) {
      if (signed) writer.int32(view.getInt32(at, true));
      else writer.uint32(view.getUint32(at, true));
    } else if (width === 2) writer.int32(signed ? view.getInt16(at, true) : view.getUint16(at, true));
    else writer.int32(signed ? view.getInt8(at) : view.getUint8(at));
  }
  return writer.finish();
}

/** Bytes that grow; the first piece is kept as a view. */
export class ByteList {
  #bytes: Uint8Array;
  #length: number;

  constructor(first: Uint8Array) {
    this.#bytes = first;
    this.#length = first.byteLength;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  append(piece: Uint8Array): void {
    const needed = this.#length + piece.byteLength;
    // The first piece is a view of the file, so that its own length is all the room there is.
    if (needed > this.#bytes.byteLength) {
      const grown = new Uint8Array(Math.max(needed, this.#length * 2));
      grown.set(this.bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = needed;
  }
}
