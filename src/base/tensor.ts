import { DATA_TYPES, type DataType } from './dtype.ts';
import { LatheError } from './errors.ts';
import { isSmallFloat, smallFloatBits, smallFloatTable } from './float16.ts';
import { formatDims, sizeOf } from './shape.ts';

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

export type TensorData = TypedArray | readonly string[];

/**
 * A dense tensor in memory, row-major. 16-bit floats are their bits in a Uint16Array, booleans 0 or 1 in a Uint8Array,
 * types of 8 bits or fewer without an array type of their own their packed bytes in a Uint8Array; complex numbers are
 * pairs of floats, so that their array has twice as many elements.
 */
export interface Tensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

type ArrayConstructor = {
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
};

const ARRAYS: Readonly<Record<Exclude<DataType, 'string'>, ArrayConstructor>> = {
  float32: Float32Array,
  float64: Float64Array,
  complex64: Float32Array,
  complex128: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  float8e4m3fn: Uint8Array,
  float8e4m3fnuz: Uint8Array,
  float8e5m2: Uint8Array,
  float8e5m2fnuz: Uint8Array,
  float8e8m0: Uint8Array,
  uint4: Uint8Array,
  int4: Uint8Array,
  float4e2m1: Uint8Array,
  uint2: Uint8Array,
  int2: Uint8Array,
  float6e2m3: Uint8Array,
  float6e3m2: Uint8Array,
};

/** The array type that holds elements of `dtype` in a {@link Tensor}. */
export function arrayTypeOf(dtype: Exclude<DataType, 'string'>): ArrayConstructor {
  return ARRAYS[dtype];
}

/** Makes a tensor over `data` (not copied). Throws when the number of elements does not fit `dims`. */
export function tensor(dtype: DataType, dims: readonly number[], data: TensorData): Tensor {
  const expected = lengthOf(dtype, sizeOf(dims));
  if (data.length !== expected) {
    throw new LatheError(
      'shape',
      `tensor ${dtype}${formatDims(dims)}: expected ${expected} elements, got ${data.length}`,
    );
  }
  return { dtype, dims, data };
}

/** The length of the array that holds `count` elements. */
function lengthOf(dtype: DataType, count: number): number {
  const { bits, kind } = DATA_TYPES[dtype];
  if (kind === 'complex') return 2 * count;
  return bits > 0 && bits < 8 ? Math.ceil((count * bits) / 8) : count;
}

/** A tensor from ordinary numbers: `from('int64', [2], [3, 4])`. Without dims it has one dimension; a number gives a scalar. */
export function tensorFrom(
  dtype: Exclude<DataType, 'string'>,
  values: number | readonly number[],
  dims?: readonly number[],
): Tensor {
  const list = typeof values === 'number' ? [values] : values;
  const shape = dims ?? (typeof values === 'number' ? [] : [list.length]);
  if (DATA_TYPES[dtype].bits < 8 && list.length > 0)
    throw new LatheError('unsupported', `${dtype} is packed: expected a type with an element a place`, {
      hint: 'Use fromFloat64() or fromIntegers().',
    });
  const data = new ARRAYS[dtype](list.length);
  if (isSmallFloat(dtype)) {
    for (let index = 0; index < list.length; index++) data[index] = smallFloatBits(dtype, list[index]!);
  } else if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let index = 0; index < list.length; index++) data[index] = BigInt(list[index]!);
  } else data.set(list);
  return tensor(dtype, shape, data);
}

/** A tensor of zeros. */
export function zeros(dtype: Exclude<DataType, 'string'>, dims: readonly number[]): Tensor {
  return tensor(dtype, dims, new ARRAYS[dtype](lengthOf(dtype, sizeOf(dims))));
}

/** The elements as ordinary numbers. Throws for strings, packed types, and 64-bit integers beyond 2^53. */
export function numbersOf(value: Tensor): number[] {
  const { dtype } = value;
  if (DATA_TYPES[dtype].bits < 8 && dtype !== 'string')
    throw new LatheError('unsupported', `${dtype} is packed: expected a type with an element a place`, {
      hint: 'Use float64Of() or integersOf().',
    });
  if (isSmallFloat(dtype)) {
    const table = smallFloatTable(dtype);
    return Array.from(value.data as Uint16Array, (code) => table[code]!);
  }
  const out = new Array<number>(value.data.length);
  for (let index = 0; index < out.length; index++) {
    const element = value.data[index]!;
    if (typeof element === 'string') throw new LatheError('shape', 'expected a tensor of numbers, got strings');
    const number = Number(element);
    if (typeof element === 'bigint' && !Number.isSafeInteger(number)) {
      throw new LatheError('shape', `integer ${element} is beyond what a JavaScript number holds exactly`);
    }
    out[index] = number;
  }
  return out;
}
