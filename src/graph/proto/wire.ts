import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { LatheError } from '../../base/errors.ts';
import type { Int, Unknown, UnknownField } from '../ir.ts';
import { ENTRY } from './fields.ts';

/** Reads the field that `tag` announced; false leaves it to the unknown fields. */
export type Take = (tag: number, reader: BinaryReader) => boolean;
export type Entry = readonly [string, string];

/** Reads all fields of a message and returns those that `take` left. A reader never sees beyond its own message. */
export function decodeFields(bytes: Uint8Array, take: Take): UnknownField[] {
  const unknown: UnknownField[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const start = reader.pos;
    if (!take((number << 3) | wireType, reader)) {
      reader.pos = start;
      unknown.push({ number, wireType, bytes: reader.skip(wireType, number) });
    }
    if (reader.pos > reader.len) throw new RangeError('a field ends after its message');
  }
  return unknown;
}

export function unknownProperty(unknown: readonly UnknownField[]): Unknown {
  return unknown.length === 0 ? {} : { unknown };
}

export function eachPacked(reader: BinaryReader, read: (packed: BinaryReader) => void): void {
  const packed = new BinaryReader(reader.bytes());
  while (packed.pos < packed.len) read(packed);
}

export function int64(reader: BinaryReader): Int {
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
function decodeEntry(bytes: Uint8Array): Entry | undefined {
  let key = '';
  let value = '';
  const unknown = decodeFields(bytes, (tag, reader) => {
    if (tag === ENTRY.key) key = reader.string(true);
    else if (tag === ENTRY.value) value = reader.string(true);
    else return false;
    return true;
  });
  return unknown.length === 0 ? [key, value] : undefined;
}

export function pushEntry(into: Entry[], reader: BinaryReader): boolean {
  const entry = decodeEntry(reader.bytes());
  if (entry === undefined) return false;
  into.push(entry);
  return true;
}

/** metadata_props. Of a key that comes twice the last value counts; the others are kept as unknown fields. */
export class EntryMap {
  #entries: Map<string, string> | undefined;
  readonly #overridden: Entry[] = [];

  take(reader: BinaryReader): boolean {
    const entry = decodeEntry(reader.bytes());
    if (entry === undefined) return false;
    this.#entries ??= new Map();
    const before = this.#entries.get(entry[0]);
    if (before !== undefined) this.#overridden.push([entry[0], before]);
    this.#entries.set(...entry);
    return true;
  }

  property(): { metadata?: ReadonlyMap<string, string> } {
    return this.#entries === undefined ? {} : { metadata: this.#entries };
  }

  unplaced(tag: number): UnknownField[] {
    return this.#overridden.map(([key, value]) => bytesField(tag, encodeEntry(key, value)));
  }
}

/** A field of message type that is set once, or in pieces that are merged. */
export class Once {
  #pieces: Uint8Array[] | undefined;

  take(reader: BinaryReader): true {
    this.#pieces ??= [];
    this.#pieces.push(reader.bytes());
    return true;
  }

  get bytes(): Uint8Array | undefined {
    return this.#pieces === undefined ? undefined : concatenated(this.#pieces);
  }
}
