import type { DataType } from './dtype.ts';

/**
 * Floating-point formats narrower than float32, as ONNX defines them. `nan` and `infinity` are the bits of the positive
 * value; a format without infinity has its largest finite value below `nan`.
 */
interface SmallFloat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  readonly signed: boolean;
  /** The bits of the largest finite value. */
  readonly largest: number;
  readonly infinity: number | undefined;
  readonly nan: number | undefined;
  /** The `fnuz` formats: no negative zero, whose bits are NaN. */
  readonly unsignedZero: boolean;
}

const row = (
  exponentBits: number,
  mantissaBits: number,
  bias: number,
  largest: number,
  infinity: number | undefined,
  nan: number | undefined,
  options: { readonly signed?: boolean; readonly unsignedZero?: boolean } = {},
): SmallFloat => ({
  exponentBits,
  mantissaBits,
  bias,
  largest,
  infinity,
  nan,
  signed: options.signed ?? true,
  unsignedZero: options.unsignedZero ?? false,
});

const FORMATS = {
  float16: row(5, 10, 15, 0x7bff, 0x7c00, 0x7e00),
  bfloat16: row(8, 7, 127, 0x7f7f, 0x7f80, 0x7fc0),
  float8e4m3fn: row(4, 3, 7, 0x7e, undefined, 0x7f),
  float8e4m3fnuz: row(4, 3, 8, 0x7f, undefined, 0x80, { unsignedZero: true }),
  float8e5m2: row(5, 2, 15, 0x7b, 0x7c, 0x7f),
  float8e5m2fnuz: row(5, 2, 16, 0x7f, undefined, 0x80, { unsignedZero: true }),
  float4e2m1: row(2, 1, 1, 0x7, undefined, undefined),
  float6e2m3: row(2, 3, 1, 0x1f, undefined, undefined),
  float6e3m2: row(3, 2, 3, 0x1f, undefined, undefined),
  float8e8m0: row(8, 0, 127, 0xfe, undefined, 0xff, { signed: false }),
} as const satisfies Partial<Record<DataType, SmallFloat>>;

/** The data types of 16 bits and fewer that hold floating-point numbers. */
export type SmallFloatType = keyof typeof FORMATS;

export function isSmallFloat(dtype: DataType): dtype is SmallFloatType {
  return dtype in FORMATS;
}

/**
 * The bits of `value` in a small floating-point format, rounded once, to nearest with ties to even. Beyond the largest
 * finite value comes infinity (NaN where the format has none); with `saturate`, which applies to the formats of 8 bits
 * and fewer, the largest finite value. float6 and float4, which have neither, always saturate, and give 0 for NaN.
 */
export function smallFloatBits(dtype: SmallFloatType, value: number, saturate = false): number {
  const format: SmallFloat = FORMATS[dtype];
  const { mantissaBits, exponentBits } = format;
  const sign = format.signed && (value < 0 || Object.is(value, -0)) ? 1 << (exponentBits + mantissaBits) : 0;
  if (Number.isNaN(value)) return format.nan ?? 0;
  if (!format.signed && value < 0) return format.nan ?? 0;
  const magnitude = Math.abs(value);
  const bits = magnitude === Infinity ? Infinity : roundedBits(magnitude, format);
  if (bits > format.largest) {
    const narrow = exponentBits + mantissaBits < 15;
    if ((saturate && narrow) || (format.infinity === undefined && format.nan === undefined))
      return sign | format.largest;
    if (format.infinity !== undefined) return sign | format.infinity;
    return format.unsignedZero ? format.nan! : sign | format.nan!;
  }
  if (bits === 0 && format.unsignedZero) return 0;
  return sign | bits;

  function roundedBits(from: number, { mantissaBits, bias }: SmallFloat): number {
    const lowest = mantissaBits === 0 ? -bias : 1 - bias;
    const exponent = Math.max(lowest, exponentOf(from));
    const quantum = 2 ** (exponent - mantissaBits);
    const fraction = roundHalfToEven(from / quantum);
    // A format without mantissa bits (float8e8m0) has no zero and no subnormal numbers: its codes are plain exponents.
    if (mantissaBits === 0) return fraction <= 1 ? exponent + bias : exponent + bias + 1;
    return (exponent + bias - 1) * 2 ** mantissaBits + fraction;
  }
}

/** The number that the bits of a small floating-point format stand for. Exact. */
export function smallFloatValue(dtype: SmallFloatType, bits: number): number {
  const { exponentBits, mantissaBits, bias, signed, infinity, nan, unsignedZero }: SmallFloat = FORMATS[dtype];
  const signBit = 1 << (exponentBits + mantissaBits);
  if (unsignedZero && bits === nan) return NaN;
  const negative = signed && (bits & signBit) !== 0;
  const magnitude = signed ? bits & (signBit - 1) : bits;
  if (infinity !== undefined && magnitude >= infinity)
    return magnitude > infinity ? NaN : negative ? -Infinity : Infinity;
  if (!unsignedZero && magnitude === nan) return NaN;
  const exponent = magnitude >> mantissaBits;
  const fraction = magnitude & ((1 << mantissaBits) - 1);
  const value =
    mantissaBits === 0
      ? 2 ** (exponent - bias)
      : exponent === 0
        ? fraction * 2 ** (1 - bias - mantissaBits)
        : (2 ** mantissaBits + fraction) * 2 ** (exponent - bias - mantissaBits);
  return negative ? -value : value;
}

const tables = new Map<SmallFloatType, Float64Array>();

/** Every value of a format by its bits, made on first use: decoding a tensor is a look-up. */
export function smallFloatTable(dtype: SmallFloatType): Float64Array {
  let table = tables.get(dtype);
  if (table === undefined) {
    const { exponentBits, mantissaBits, signed }: SmallFloat = FORMATS[dtype];
    table = new Float64Array(2 ** (exponentBits + mantissaBits + (signed ? 1 : 0)));
    for (let bits = 0; bits < table.length; bits++) table[bits] = smallFloatValue(dtype, bits);
    tables.set(dtype, table);
  }
  return table;
}

/** Rounds to the nearest integer, halves to the even one. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest < 0.5 || (rest === 0.5 && floor % 2 === 0)) return floor;
  return floor === -1 ? -0 : floor + 1;
}

const scratch = new DataView(new ArrayBuffer(8));

/** floor(log2(value)) of a positive finite number, exactly. */
function exponentOf(value: number): number {
  if (value === 0) return -1100;
  scratch.setFloat64(0, value);
  const biased = (scratch.getUint16(0) >> 4) & 0x7ff;
  return biased === 0 ? -1023 : biased - 1023;
}
