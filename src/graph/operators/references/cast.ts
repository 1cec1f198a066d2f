import { DATA_TYPES, type DataType, dataTypeOf } from '../../../base/dtype.ts';
import { float64Of, fromFloat64, fromIntegers, integersOf, isInteger, isLongInteger } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { type Tensor, tensor } from '../../../base/tensor.ts';
import { intOf, stringOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required } from './inputs.ts';

export const CAST = {
  Cast: (context) => {
    const dtype = targetOf(context);
    return [cast(required(context, 0), dtype, saturates(context))];
  },
  CastLike: (context) => [cast(required(context, 0), required(context, 1).dtype, saturates(context))],
} satisfies Record<string, Reference>;

function saturates({ node }: ReferenceContext): boolean {
  return intOf(node, 'saturate', 1) === 1;
}

/** Operator sets before 6 name the type; later ones give its number. */
function targetOf({ node }: ReferenceContext): DataType {
  const attribute = node.attributes.get('to');
  const names: Record<string, DataType> = { float: 'float32', double: 'float64' };
  if (attribute?.kind === 'string') {
    const name = stringOf(node, 'to', '').toLowerCase();
    const dtype = names[name] ?? name;
    if (dtype in DATA_TYPES) return dtype as DataType;
  }
  const dtype = attribute?.kind === 'int' ? dataTypeOf(intOf(node, 'to', 0)) : undefined;
  if (dtype === undefined) throw new LatheError('invalid-model', `attribute "to" names no data type`);
  return dtype;
}

/**
 * To another type. Floating point to integer goes towards zero; out of range, where ONNX leaves the result open, it wraps
 * (and NaN gives 0). Integer to integer wraps. Complex numbers are refused.
 */
export function cast(x: Tensor, dtype: DataType, saturate = true): Tensor {
  if (dtype === x.dtype) return x;
  if (DATA_TYPES[x.dtype].kind === 'complex' || DATA_TYPES[dtype].kind === 'complex')
    throw new LatheError('unsupported', `no cast from ${x.dtype} to ${dtype}: ONNX has none for complex numbers`);
  if (dtype === 'string') return tensor('string', x.dims, textOf(x));
  if (x.dtype === 'string') return fromText(x.data as readonly string[], x.dims, dtype);
  if (isLongInteger(x.dtype) && (isInteger(dtype) || dtype === 'bool'))
    return fromIntegers(dtype, x.dims, integersOf(x));
  const values = isLongInteger(x.dtype) && dtype !== 'float64' ? oddFloat64Of(x) : float64Of(x);
  return fromFloat64(dtype, x.dims, values, { saturate });
}

/**
 * 64-bit integers in float64, where one that does not fit has an odd last bit instead of the nearest: rounding that once
 * more, to a narrower type, gives what rounding the integer itself would.
 */
function oddFloat64Of(x: Tensor): Float64Array {
  const exact = (value: bigint): number => {
    const near = Number(value);
    if (Number.isSafeInteger(near)) return near;
    const high = value >> 11n;
    return Number((value & 2047n) === 0n ? high : high | 1n) * 2048;
  };
  return Float64Array.from(Array.from(integersOf(x), exact));
}

function textOf(x: Tensor): string[] {
  if (isInteger(x.dtype)) return Array.from(integersOf(x), String);
  if (x.dtype === 'bool') return Array.from(float64Of(x), (value) => (value === 0 ? 'False' : 'True'));
  // float32 prints the shortest decimal that reads back as the same float32, as NumPy does.
  const shortest = (value: number): string => {
    if (Number.isNaN(value)) return 'NaN';
    if (!Number.isFinite(value)) return value > 0 ? 'INF' : '-INF';
    if (x.dtype === 'float64') return String(value);
    for (let digits = 1; digits < 9; digits++) {
      const text = value.toPrecision(digits);
      if (Math.fround(Number(text)) === value) return String(Number(text));
    }
    return String(Number(value.toPrecision(9)));
  };
  return Array.from(float64Of(x), shortest);
}

const SPECIAL: Readonly<Record<string, number>> = {
  nan: NaN,
  '+nan': NaN,
  '-nan': NaN,
  inf: Infinity,
  '+inf': Infinity,
  infinity: Infinity,
  '+infinity': Infinity,
  '-inf': -Infinity,
  '-infinity': -Infinity,
};

function fromText(texts: readonly string[], dims: readonly number[], dtype: Exclude<DataType, 'string'>): Tensor {
  if (isInteger(dtype) && texts.every((text) => /^\s*[+-]?\d+\s*$/.test(text)))
    return fromIntegers(
      dtype,
      dims,
      texts.map((text) => BigInt(text.trim().replace(/^\+/, ''))),
    );
  const values = texts.map((text) => {
    const trimmed = text.trim().toLowerCase();
    const value = SPECIAL[trimmed] ?? (trimmed === '' ? NaN : Number(trimmed));
    if (Number.isNaN(value) && !(trimmed in SPECIAL)) throw new LatheError('invalid-data', `"${text}" is not a number`);
    return value;
  });
  return fromFloat64(dtype, dims, Float64Array.from(values));
}
