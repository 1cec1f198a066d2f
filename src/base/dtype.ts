/** The element types of ONNX (onnx.proto, TensorProto.DataType), by the number that files store. */
const ROWS = {
  float32: { code: 1, bits: 32, kind: 'float' },
  uint8: { code: 2, bits: 8, kind: 'uint' },
  int8: { code: 3, bits: 8, kind: 'int' },
  uint16: { code: 4, bits: 16, kind: 'uint' },
  int16: { code: 5, bits: 16, kind: 'int' },
  int32: { code: 6, bits: 32, kind: 'int' },
  int64: { code: 7, bits: 64, kind: 'int' },
  string: { code: 8, bits: 0, kind: 'string' },
  bool: { code: 9, bits: 8, kind: 'bool' },
  float16: { code: 10, bits: 16, kind: 'float' },
  float64: { code: 11, bits: 64, kind: 'float' },
  uint32: { code: 12, bits: 32, kind: 'uint' },
  uint64: { code: 13, bits: 64, kind: 'uint' },
  complex64: { code: 14, bits: 64, kind: 'complex' },
  complex128: { code: 15, bits: 128, kind: 'complex' },
  bfloat16: { code: 16, bits: 16, kind: 'float' },
  float8e4m3fn: { code: 17, bits: 8, kind: 'float' },
  float8e4m3fnuz: { code: 18, bits: 8, kind: 'float' },
  float8e5m2: { code: 19, bits: 8, kind: 'float' },
  float8e5m2fnuz: { code: 20, bits: 8, kind: 'float' },
  uint4: { code: 21, bits: 4, kind: 'uint' },
  int4: { code: 22, bits: 4, kind: 'int' },
  float4e2m1: { code: 23, bits: 4, kind: 'float' },
  float8e8m0: { code: 24, bits: 8, kind: 'float' },
  uint2: { code: 25, bits: 2, kind: 'uint' },
  int2: { code: 26, bits: 2, kind: 'int' },
  float6e2m3: { code: 27, bits: 6, kind: 'float' },
  float6e3m2: { code: 28, bits: 6, kind: 'float' },
} as const;

export type DataType = keyof typeof ROWS;

export interface DataTypeFacts {
  /** The number in TensorProto.DataType. */
  readonly code: number;
  /** Bits an element; types under 8 bits are packed, lowest bits first. 0 for strings. */
  readonly bits: number;
  readonly kind: 'float' | 'int' | 'uint' | 'bool' | 'string' | 'complex';
}

export const DATA_TYPES: Readonly<Record<DataType, DataTypeFacts>> = ROWS;

const BY_CODE: ReadonlyMap<number, DataType> = new Map(
  (Object.keys(ROWS) as DataType[]).map((name) => [ROWS[name].code, name]),
);

/** The data type that a file's number stands for, or undefined for 0 (undefined) and numbers that ONNX does not define. */
export function dataTypeOf(code: number): DataType | undefined {
  return BY_CODE.get(code);
}

export function isFloat(dtype: DataType): boolean {
  return ROWS[dtype].kind === 'float';
}

/** Bytes that `count` elements take in raw storage. Undefined for strings, which have no raw form. */
export function byteSize(dtype: DataType, count: number): number | undefined {
  return dtype === 'string' ? undefined : Math.ceil((count * ROWS[dtype].bits) / 8);
}
