import { DATA_TYPES, type DataType } from './dtype.ts';
import { LatheError } from './errors.ts';
import { isSmallFloat, smallFloatBits, smallFloatTable } from './float16.ts';
import { sizeOf } from './shape.ts';
import { arrayTypeOf, type Tensor, type TensorData, tensor } from './tensor.ts';

type NumericType = Exclude<DataType, 'string'>;

/** Whether a type holds integers of 64 bits, which a JavaScript number does not hold exactly. */
export function isLongInteger(dtype: DataType): dtype is 'int64' | 'uint64' {
  return dtype === 'int64' || dtype === 'uint64';
}

export function isInteger(dtype: DataType): boolean {
  const { kind } = DATA_TYPES[dtype];
  return kind === 'int' || kind === 'uint';
}

/**
 * The elements as float64, decoded from whatever the type stores; 64-bit integers are rounded. Shares memory with a
 * float64 tensor, so do not write into it. Throws for strings and complex numbers.
 */
export function float64Of(value: Tensor): Float64Array {
  const { dtype, data } = value;
  if (data instanceof Float64Array && dtype === 'float64') return data;
  if (isSmallFloat(dtype)) {
    const codes = codesOf(value) as ArrayLike<number>;
    const table = smallFloatTable(dtype);
    const out = new Float64Array(codes.length);
    for (let index = 0; index < out.length; index++) out[index] = table[codes[index]!]!;
    return out;
  }
  if (dtype === 'string' || DATA_TYPES[dtype].kind === 'complex')
    throw new LatheError('unsupported', `expected a tensor of real numbers, got ${dtype}`);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const out = new Float64Array(data.length);
    for (let index = 0; index < out.length; index++) out[index] = Number(data[index]!);
    return out;
  }
  const { bits, kind } = DATA_TYPES[dtype];
  const codes = codesOf(value) as ArrayLike<number>;
  if (bits >= 8 || kind !== 'int') return new Float64Array(codes);
  const half = 2 ** (bits - 1);
  return Float64Array.from(codes, (code) => (code >= half ? code - 2 * half : code));
}

/** The elements as exact integers: of an integer type or bool. */
export function integersOf(value: Tensor): ArrayLike<bigint> {
  if (value.data instanceof BigInt64Array || value.data instanceof BigUint64Array) return value.data;
  const { kind } = DATA_TYPES[value.dtype];
  if (kind !== 'int' && kind !== 'uint' && kind !== 'bool')
    throw new LatheError('unsupported', `expected a tensor of integers, got ${value.dtype}`);
  return Array.from(float64Of(value), BigInt);
}

/**
 * A tensor of numbers given in float64, rounded once to `dtype`: to nearest with ties to even for floating point; for
 * integers towards zero, then modulo the type's range. `values` is taken over where it fits as it is.
 */
export function fromFloat64(
  dtype: NumericType,
  dims: readonly number[],
  values: Float64Array,
  options: { readonly saturate?: boolean } = {},
): Tensor {
  if (dtype === 'float64') return tensor(dtype, dims, values);
  if (dtype === 'float32') return tensor(dtype, dims, new Float32Array(values));
  if (isSmallFloat(dtype)) {
    const codes = new Uint16Array(values.length);
    for (let index = 0; index < codes.length; index++)
      codes[index] = smallFloatBits(dtype, values[index]!, options.saturate);
    return fromCodes(dtype, dims, codes);
  }
  const { kind, bits } = DATA_TYPES[dtype];
  if (kind === 'complex') throw new LatheError('unsupported', `expected a type of real numbers, got ${dtype}`);
  if (kind === 'bool') {
    const out = new Uint8Array(values.length);
    for (let index = 0; index < out.length; index++) out[index] = values[index] === 0 ? 0 : 1;
    return tensor(dtype, dims, out);
  }
  if (isLongInteger(dtype)) {
    const out = new (dtype === 'int64' ? BigInt64Array : BigUint64Array)(values.length);
    for (let index = 0; index < out.length; index++) {
      const value = values[index]!;
      out[index] = Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
    }
    return tensor(dtype, dims, out);
  }
  // Typed arrays of up to 32 bits convert towards zero and modulo their range; packed types are masked alike.
  if (bits >= 8) {
    const out = new (arrayTypeOf(dtype))(values.length) as Int32Array;
    out.set(values);
    return tensor(dtype, dims, out);
  }
  return fromCodes(dtype, dims, new Uint8Array(values));
}

/** A tensor of exact integers, modulo the range of its type (for bool: whether it is not zero). */
export function fromIntegers(dtype: NumericType, dims: readonly number[], values: ArrayLike<bigint>): Tensor {
  if (isLongInteger(dtype)) {
    const out = new (dtype === 'int64' ? BigInt64Array : BigUint64Array)(values.length);
    for (let index = 0; index < out.length; index++) out[index] = values[index]!;
    return tensor(dtype, dims, out);
  }
  const { kind } = DATA_TYPES[dtype];
  const narrow = kind === 'int' || kind === 'uint';
  // A bigint beyond 2^53 would round on its way through a number: the low 32 bits are all that a narrow type keeps.
  const numbers = Array.from(values, (value) => Number(narrow ? BigInt.asIntN(32, value) : value));
  return fromFloat64(dtype, dims, Float64Array.from(numbers));
}

/**
 * The elements one by one in storage form: what `data` holds, except that packed types come unpacked, a code an element.
 * Complex numbers take two places each.
 */
export function codesOf(value: Tensor): TensorData {
  const { bits } = DATA_TYPES[value.dtype];
  if (bits === 0 || bits >= 8) return value.data;
  const packed = value.data as Uint8Array;
  const mask = 2 ** bits - 1;
  const codes = new Uint8Array(sizeOf(value.dims));
  for (let index = 0; index < codes.length; index++) {
    const byte = Math.floor((index * bits) / 8);
    // Six bits may lie across two bytes.
    codes[index] = ((packed[byte]! | ((packed[byte + 1] ?? 0) << 8)) >> ((index * bits) % 8)) & mask;
  }
  return codes;
}

/** The inverse of {@link codesOf}: packs codes of types under 8 bits, lowest bits first. */
export function fromCodes(dtype: DataType, dims: readonly number[], codes: TensorData): Tensor {
  const { bits } = DATA_TYPES[dtype];
  if (dtype === 'string') return tensor(dtype, dims, codes);
  if (bits >= 8) {
    // Codes come as the type that holds them, or as wider ones of narrow floats.
    if (codes instanceof arrayTypeOf(dtype)) return tensor(dtype, dims, codes);
    const out = new (arrayTypeOf(dtype))(codes.length) as Uint16Array;
    out.set(codes as Uint16Array);
    return tensor(dtype, dims, out);
  }
  const mask = 2 ** bits - 1;
  const packed = new Uint8Array(Math.ceil((codes.length * bits) / 8));
  for (let index = 0; index < codes.length; index++) {
    const byte = Math.floor((index * bits) / 8);
    const shifted = ((codes[index] as number) & mask) << ((index * bits) % 8);
    packed[byte]! |= shifted & 0xff;
    if (shifted > 0xff) packed[byte + 1]! |= shifted >> 8;
  }
  return tensor(dtype, dims, packed);
}
