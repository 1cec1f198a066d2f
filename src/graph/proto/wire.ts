import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { LatheError } from '../../base/errors.ts';
import type { Int, Unknown, UnknownField } from '../ir.ts';
import { ENTRY } from './fields.ts';

/** Reads the message that ends at `end`, from where the reader stands. */
export type Decode<T> = (reader: BinaryReader, end: number, depth: number) => T;
export type Entry = readonly [string, string];

/** One for all messages without unknown fields, which are nearly all. */
const NO_FIELDS: readonly UnknownField[] = [];

/** Reads all fields of a message and returns those that `take`, called with each tag, left with false. */
export function decodeFields(
  reader: BinaryReader,
  end: number,
  take: (tag: number) => boolean,
): readonly UnknownField[] {
  let unknown: UnknownField[] | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    const start = reader.pos;
    if (tag < 8 || !take(tag)) {
      const number = tag >>> 3;
      const wireType = tag & 7;
      if (number === 0) throw new RangeError('a field has the number 0');
      reader.pos = start;
      unknown ??= [];
      unknown.push({ number, wireType, bytes: reader.skip(wireType, number) });
    }
    if (reader.pos > end) throw new RangeError('a field ends after its message');
  }
  return unknown ?? NO_FIELDS;
}

/** Reads a field that holds a message. */
export function nested<T>(reader: BinaryReader, decode: Decode<T>, depth = 0): T {
  const length = reader.uint32();
  const end = reader.pos + length;
  const value = decode(reader, end, depth);
  reader.pos = end;
  return value;
}

/** As BinaryReader.skip, without making a view of what it skips. */
export function skip(reader: BinaryReader, wireType: WireType, number: number): void {
  if (wireType === WireType.LengthDelimited) {
    const length = reader.uint32();
    reader.pos += length;
  } else if (wireType === WireType.Bit32) reader.pos += 4;
  else reader.skip(wireType, number);
}

const NOTHING: Unknown = {};

export function unknownProperty(unknown: readonly UnknownField[]): Unknown {
  return unknown.length === 0 ? NOTHING : { unknown };
}

/** Calls `read` for every number of a packed list. */
export function eachPacked(reader: BinaryReader, read: () => void): void {
  const length = reader.uint32();
  const end = reader.pos + length;
  while (reader.pos < end) read();
  if (reader.pos > end) throw new RangeError('a list ends within a number');
}

export function int64(reader: BinaryReader): Int {
  const start = reader.pos;
  const small = reader.uint32();
  // Up to four bytes of seven bits each: most numbers never become a bigint.
  if (reader.pos - start <= 4) return small;
  reader.pos = start;
  const value = BigInt(reader.int64());
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

export function exact(reader: BinaryReader, what: string): number {
  const value = int64(reader);
  if (typeof value === 'number') return value;
  throw new LatheError('invalid-model', `${what} is ${value}: expected a number within 2^53`);
}

export function varintField(tag: number, value: number): UnknownField {
  return { number: tag >>> 3, wireType: WireType.Varint, bytes: new BinaryWriter().int32(value).finish() };
}

export function bytesField(tag: number, value: Uint8Array): UnknownField {
  return { number: tag >>> 3, wireType: WireType.LengthDelimited, bytes: new BinaryWriter().bytes(value).finish() };
}

export function encodeEntry(key: string, value: string): Uint8Array {
  return new BinaryWriter().uint32(ENTRY.key).string(key).uint32(ENTRY.value).string(value).finish();
}

export function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  let length = 0;
  for (const piece of pieces) length += piece.byteLength;
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}

/** Undefined for an entry that holds more than a key and a value: its owner keeps it whole, as an unknown field. */
function decodeEntry(reader: BinaryReader, end: number): Entry | undefined {
  let key = '';
  let value = '';
  const unknown = decodeFields(reader, end, (tag) => {
    if (tag === ENTRY.key) key = reader.string(true);
    else if (tag === ENTRY.value) value = reader.string(true);
    else return false;
    return true;
  });
  return unknown.length === 0 ? [key, value] : undefined;
}

export function pushEntry(into: Entry[], reader: BinaryReader): boolean {
  const entry = nested(reader, decodeEntry);
  if (entry === undefined) return false;
  into.push(entry);
  return true;
}

/** metadata_props. Of a key that comes twice the last value counts; the others are kept as unknown fields. */
export class EntryMap {
  readonly entries = new Map<string, string>();
  readonly overridden: Entry[] = [];

  take(reader: BinaryReader): boolean {
    const entry = nested(reader, decodeEntry);
    if (entry === undefined) return false;
    const before = this.entries.get(entry[0]);
    if (before !== undefined) this.overridden.push([entry[0], before]);
    this.entries.set(...entry);
    return true;
  }
}

/** What most messages become beside their own properties: their metadata, and what has no place. */
export function annotations(
  metadata: EntryMap | undefined,
  tag: number,
  unknown: readonly UnknownField[],
): { metadata?: ReadonlyMap<string, string> } & Unknown {
  if (metadata === undefined || metadata.entries.size === 0) return unknownProperty(unknown);
  const overridden = metadata.overridden.map(([key, value]) => bytesField(tag, encodeEntry(key, value)));
  return { metadata: metadata.entries, ...unknownProperty([...unknown, ...overridden]) };
}

/** A field of message type: set once, or in pieces that are merged, which in this format is to join their bytes. */
export class Once {
  #reader: BinaryReader | undefined;
  #first = 0;
  #others: number[] | undefined;

  take(reader: BinaryReader): true {
    const start = reader.pos;
    skip(reader, WireType.LengthDelimited, 0);
    if (this.#reader === undefined) {
      this.#reader = reader;
      this.#first = start;
    } else {
      this.#others ??= [];
      this.#others.push(start);
    }
    return true;
  }

  decode<T>(decode: Decode<T>, depth = 0): T | undefined {
    const reader = this.#reader;
    if (reader === undefined) return undefined;
    const after = reader.pos;
    let value: T;
    if (this.#others === undefined) {
      reader.pos = this.#first;
      value = nested(reader, decode, depth);
    } else {
      const pieces = [this.#first, ...this.#others].map((start) => {
        reader.pos = start;
        return reader.bytes();
      });
      const joined = concatenated(pieces);
      value = decode(new BinaryReader(joined), joined.byteLength, depth);
    }
    reader.pos = after;
    return value;
  }

  decodeOrEmpty<T>(decode: Decode<T>, depth = 0): T {
    return this.decode(decode, depth) ?? decode(new BinaryReader(new Uint8Array(0)), 0, depth);
  }
}
