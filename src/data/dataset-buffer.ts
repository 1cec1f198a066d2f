import { LatheError, type TypedArray } from '../base/index.ts';
import type { PixelFile } from './images/pixel-file.ts';
import { type Column, type TensorDataset, tensorDataset } from './tensor-dataset.ts';

/**
 * The form of a data set in one buffer: `LDS1`, the header's length (u32), a JSON header, then the arrays, each at a
 * multiple of 64 bytes. Little-endian.
 */
const MAGIC = 0x3153444c;
const ALIGNMENT = 64;

const ARRAY_TYPES = {
  Float32Array,
  Float64Array,
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
} as const;
type ArrayName = keyof typeof ARRAY_TYPES;

interface StoredArray {
  readonly type: ArrayName;
  /** Bytes after the start of the buffer. */
  readonly at: number;
  readonly length: number;
}

/** A file of pixels, by its name. */
type StoredFile = Pick<PixelFile, 'name' | 'length' | 'sha256'>;

type StoredColumn =
  | {
      readonly kind: 'ragged';
      readonly values: StoredArray;
      readonly offsets: StoredArray;
      readonly dtype: Column['dtype'];
      readonly padValue: number;
    }
  | {
      readonly kind: 'fixed';
      readonly values: StoredArray;
      readonly dims: readonly number[];
      readonly dtype: Column['dtype'];
    }
  | {
      readonly kind: 'pixels';
      /** Without an array they are in a file beside. */
      readonly values: StoredArray | StoredFile;
      readonly levels: StoredArray;
      readonly dims: readonly number[];
      readonly dtype: 'float32';
    }
  | Extract<Column, { kind: 'mask' | 'zeros' }>;

/** Writes a data set into one buffer, for another process or a file; equal data sets give equal bytes. */
export function serializeDataset(dataset: TensorDataset): Uint8Array<ArrayBuffer> {
  const arrays = new Map<TypedArray, StoredArray>();
  let size = 0;
  const place = (values: TypedArray): StoredArray => {
    let stored = arrays.get(values);
    if (stored === undefined) {
      const type = (Object.keys(ARRAY_TYPES) as ArrayName[]).find((name) => values instanceof ARRAY_TYPES[name])!;
      stored = { type, at: size, length: values.length };
      arrays.set(values, stored);
      size = aligned(size + values.byteLength);
    }
    return stored;
  };
  const columns: Record<string, StoredColumn> = {};
  for (const [name, column] of Object.entries(dataset.columns)) {
    if (column.kind === 'ragged') {
      columns[name] = { ...column, values: place(column.values), offsets: place(column.offsets) };
    } else if (column.kind === 'fixed') columns[name] = { ...column, values: place(column.values) };
    else if (column.kind === 'pixels') {
      const { values } = column;
      const stored =
        values instanceof Uint8Array
          ? place(values)
          : { name: values.name, length: values.length, sha256: values.sha256 };
      columns[name] = { ...column, values: stored, levels: place(column.levels) };
    } else columns[name] = column;
  }
  // Positions count from the end of the header, so that they do not depend on its own length.
  const header = new TextEncoder().encode(JSON.stringify({ columns }));
  const start = aligned(8 + header.length);
  const bytes = new Uint8Array(start + size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, header.length, true);
  bytes.set(header, 8);
  for (const [values, { at }] of arrays) {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), start + at);
  }
  return bytes;
}

/**
 * Reads what {@link serializeDataset} wrote; the arrays are views of `bytes`, which must not change afterwards. Bytes that
 * do not begin at a multiple of 8 in their buffer are copied once. `openFile` opens files of pixels. Throws `corrupt` for anything else.
 */
export function deserializeDataset(bytes: Uint8Array, openFile?: (file: StoredFile) => PixelFile): TensorDataset {
  if (bytes.byteOffset % 8 !== 0) return deserializeDataset(bytes.slice(), openFile);
  const refuse = (what: string): never => {
    throw new LatheError('corrupt', `data set buffer of ${bytes.length} bytes: ${what}`);
  };
  if (bytes.length < 8) return refuse('too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return refuse('it does not begin with LDS1');
  const headerLength = view.getUint32(4, true);
  if (8 + headerLength > bytes.length) return refuse(`a header of ${headerLength} bytes does not fit`);
  const start = aligned(8 + headerLength);

  const take = (stored: StoredArray | undefined): TypedArray => {
    const type =
      stored === undefined || !Object.hasOwn(ARRAY_TYPES, stored.type) ? undefined : ARRAY_TYPES[stored.type];
    if (stored === undefined || type === undefined) return refuse('an array without a type');
    const { at, length } = stored;
    const fits = Number.isInteger(at) && at >= 0 && at % ALIGNMENT === 0 && Number.isInteger(length) && length >= 0;
    if (!fits || start + at + length * type.BYTES_PER_ELEMENT > bytes.length) {
      return refuse(`an array of ${length} elements at ${at} does not fit`);
    }
    return new type(bytes.buffer as ArrayBuffer, bytes.byteOffset + start + at, length);
  };
  let header: { columns: Record<string, StoredColumn> };
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)));
  } catch {
    return refuse('its header is not JSON');
  }
  const columns: Record<string, Column> = {};
  for (const [name, column] of Object.entries(header?.columns ?? refuse('its header has no columns'))) {
    if (column.kind === 'ragged') {
      const offsets = take(column.offsets);
      if (!(offsets instanceof Uint32Array)) return refuse(`column "${name}" has no offsets`);
      columns[name] = { ...column, values: take(column.values), offsets };
    } else if (column.kind === 'fixed') columns[name] = { ...column, values: take(column.values) };
    else if (column.kind === 'pixels') {
      const { values: stored } = column;
      const isFile = typeof stored === 'object' && stored !== null && 'sha256' in stored;
      if (isFile && openFile === undefined) return refuse(`column "${name}" is in a file, and there is none`);
      const values = isFile ? openFile!(stored) : take(stored);
      const levels = take(column.levels);
      if ((!isFile && !(values instanceof Uint8Array)) || !(levels instanceof Float32Array)) {
        return refuse(`column "${name}" has no pixels`);
      }
      columns[name] = { ...column, values: values as Uint8Array | PixelFile, levels };
    } else columns[name] = column;
  }
  return tensorDataset(columns);
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}
