import { byteSize, type DataType } from './dtype.ts';
import { LatheError } from './errors.ts';
import { formatDims, sizeOf } from './shape.ts';
import { arrayTypeOf, type Tensor } from './tensor.ts';

/** The safetensors format (huggingface/safetensors): a length, a JSON header, then one buffer. */
const NAMES = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  float8e4m3fn: 'F8_E4M3',
  float8e5m2: 'F8_E5M2',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
} as const satisfies Partial<Record<DataType, string>>;

const TYPES: ReadonlyMap<string, Exclude<DataType, 'string'>> = new Map(
  (Object.keys(NAMES) as (keyof typeof NAMES)[]).map((dtype) => [NAMES[dtype], dtype]),
);

const MAXIMUM_HEADER_BYTES = 100_000_000;

export interface SafetensorsContent {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The file's parts, in order: header, then each tensor's bytes (views, not copies). Wider types come first, so that all are aligned. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  const parts: Uint8Array[] = [];
  let offset = 0;
  const ordered = [...tensors].sort(([, a], [, b]) => bytesPerElement(b) - bytesPerElement(a));
  for (const [name, { dtype, dims, data }] of ordered) {
    const stored = NAMES[dtype as keyof typeof NAMES];
    if (stored === undefined || !ArrayBuffer.isView(data))
      throw new LatheError('unsupported', `safetensors has no type for "${name}" (${dtype})`);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    header[name] = { dtype: stored, shape: dims, data_offsets: [offset, offset + bytes.byteLength] };
    parts.push(bytes);
    offset += bytes.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return [head, ...parts];
}

/**
 * Reads a whole file; the tensors are views of `bytes` where alignment allows. Throws LatheError('corrupt'), which begins with
 * `path` where that is given, for anything but the format.
 */
export function decodeSafetensors(bytes: Uint8Array, path?: string): SafetensorsContent {
  const wrong = (reason: string): LatheError =>
    new LatheError('corrupt', `${path === undefined ? '' : `${path}: `}not a valid safetensors file: ${reason}`);
  if (bytes.byteLength < 8) throw wrong(`${bytes.byteLength} bytes are too few for a header`);
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (headerBytes > BigInt(MAXIMUM_HEADER_BYTES) || headerBytes > BigInt(bytes.byteLength - 8)) {
    throw wrong(`the header claims ${headerBytes} bytes of a file of ${bytes.byteLength}`);
  }
  const start = 8 + Number(headerBytes);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start)));
  } catch {
    throw wrong('the header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw wrong('the header is not a JSON object');
  const { __metadata__: metadata = {}, ...entries } = header as Record<string, unknown>;
  if (!isStringMap(metadata)) throw wrong('__metadata__ does not map strings to strings');
  const tensors = new Map<string, Tensor>();
  const ranges: [number, number][] = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (!isEntry(entry)) throw wrong(`the entry of "${name}" is malformed`);
    const dtype = TYPES.get(entry.dtype);
    if (dtype === undefined)
      throw new LatheError('unsupported', `safetensors: "${name}" has type ${entry.dtype}, which Lathe does not know`);
    const [begin, end] = entry.data_offsets;
    const expected = byteSize(dtype, sizeOf(entry.shape));
    if (end - begin !== expected || start + end > bytes.byteLength) {
      throw wrong(
        `"${name}" ${dtype}${formatDims(entry.shape)} needs ${expected} bytes, its offsets are ${begin} to ${end}`,
      );
    }
    ranges.push([begin, end]);
    tensors.set(name, { dtype, dims: entry.shape, data: viewOf(bytes.subarray(start + begin, start + end), dtype) });
  }
  ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let reached = 0;
  for (const [begin, end] of ranges) {
    if (begin !== reached)
      throw wrong(`bytes ${Math.min(reached, begin)} to ${Math.max(reached, begin)} are unused or used twice`);
    reached = end;
  }
  if (start + reached !== bytes.byteLength)
    throw wrong(`${bytes.byteLength - start - reached} bytes follow the last tensor`);
  return { tensors, metadata };
}

function viewOf(bytes: Uint8Array, dtype: Exclude<DataType, 'string'>): Tensor['data'] {
  const ArrayType = arrayTypeOf(dtype);
  const aligned = bytes.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new ArrayType(aligned.buffer, aligned.byteOffset, aligned.byteLength / ArrayType.BYTES_PER_ELEMENT);
}

function bytesPerElement({ dtype }: Tensor): number {
  return byteSize(dtype, 1) ?? 0;
}

function isStringMap(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string');
}

function isEntry(value: unknown): value is { dtype: string; shape: number[]; data_offsets: [number, number] } {
  if (typeof value !== 'object' || value === null) return false;
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  const counts = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
  return (
    typeof dtype === 'string' && counts(shape) && counts(offsets) && offsets.length === 2 && offsets[0]! <= offsets[1]!
  );
}
