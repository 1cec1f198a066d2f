import { DATA_TYPES, type DataType, dataTypeOf } from '../../../base/dtype.ts';
import { float64Of, fromFloat64 } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { isSmallFloat, roundHalfToEven, smallFloatBits, smallFloatValue } from '../../../base/float16.ts';
import { formatDims, normalizeAxis, stridesOf } from '../../../base/shape.ts';
import { type Tensor, tensorFrom } from '../../../base/tensor.ts';
import { intOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required } from './inputs.ts';
import { matMul } from './matrix.ts';
import { strided } from './positions.ts';

type NumericType = Exclude<DataType, 'string'>;

export const QUANTIZATION = {
  DequantizeLinear: (context) => {
    const [x, scale] = [required(context, 0), required(context, 1)];
    const values = float64Of(x);
    const { scales, zeroPoints, at } = parametersOf(context);
    const out = Float64Array.from(values, (value, index) => (value - zeroPoints[at[index]!]!) * scales[at[index]!]!);
    const dtype = dataTypeOf(intOf(context.node, 'output_dtype', 0)) ?? scale.dtype;
    return [fromFloat64(dtype as NumericType, x.dims, out)];
  },
  DynamicQuantizeLinear: (context) => {
    const x = required(context, 0);
    const values = float64Of(x);
    const low = values.reduce((least, value) => Math.min(least, value), 0);
    const high = values.reduce((most, value) => Math.max(most, value), 0);
    const scale = Math.fround((high - low) / 255);
    const { round } = rangeOf('uint8');
    const zeroPoint = scale === 0 ? 0 : round(-low / scale);
    const quotient = dividedIn('float32');
    const out = values.map((value) => (scale === 0 ? 0 : round(roundHalfToEven(quotient(value, scale)) + zeroPoint)));
    return [fromFloat64('uint8', x.dims, out), tensorFrom('float32', scale), tensorFrom('uint8', zeroPoint)];
  },
  MatMulInteger: (context) => {
    const [a, b] = [required(context, 0), required(context, 1)];
    const product = matMul(
      shifted(a, context.inputs[2], a.dims.length - 2),
      shifted(b, context.inputs[3], b.dims.length - 1),
    );
    return [fromFloat64('int32', product.dims, float64Of(product))];
  },
  QuantizeLinear: (context) => {
    const x = required(context, 0);
    const { zeroPoint, scales, zeroPoints, at } = parametersOf(context);
    const dtype = (zeroPoint?.dtype ?? dataTypeOf(intOf(context.node, 'output_dtype', 0)) ?? 'uint8') as NumericType;
    const quotient = dividedIn(x.dtype);
    const values = float64Of(x);
    const saturate = intOf(context.node, 'saturate', 1) !== 0;
    if (isSmallFloat(dtype)) {
      const out = Float64Array.from(values, (value, index) => quotient(value, scales[at[index]!]!));
      return [fromFloat64(dtype, x.dims, out, { saturate })];
    }
    const { round } = rangeOf(dtype);
    const out = Float64Array.from(values, (value, index) => {
      const place = at[index]!;
      return round(roundHalfToEven(quotient(value, scales[place]!)) + zeroPoints[place]!);
    });
    return [fromFloat64(dtype, x.dims, out)];
  },
} satisfies Record<string, Reference>;

/** Integers less their zero point, exactly: one for all of them, one for each place of an axis, or one for each vector. */
function shifted(x: Tensor, zeroPoint: Tensor | undefined, axis: number): Tensor {
  const values = float64Of(x);
  if (zeroPoint === undefined) return { dtype: 'float64', dims: x.dims, data: values };
  const { dims } = zeroPoint;
  const zeros = float64Of(zeroPoint);
  const single = zeros.length === 1;
  const own = stridesOf(dims);
  const fits = single || (dims.length === 1 ? dims[0] === x.dims[axis] : dims.length === x.dims.length);
  if (!fits) throw new LatheError('shape', `zero point ${formatDims(dims)} does not fit ${formatDims(x.dims)}`);
  const strides = x.dims.map((_, other) => {
    if (single) return 0;
    if (dims.length === 1) return other === axis ? 1 : 0;
    return dims[other] === 1 ? 0 : own[other]!;
  });
  const at = strided(x.dims, strides);
  return { dtype: 'float64', dims: x.dims, data: values.map((value, index) => value - zeros[at[index]!]!) };
}

/** The least and the largest number of an integer type, and rounding into it. */
function rangeOf(dtype: DataType): { readonly round: (value: number) => number } {
  const { kind, bits } = DATA_TYPES[dtype];
  if (kind !== 'int' && kind !== 'uint') throw new LatheError('unsupported', `${dtype} is no type to quantize to`);
  const low = kind === 'int' ? -(2 ** (bits - 1)) : 0;
  const high = low + 2 ** bits - 1;
  return { round: (value) => roundHalfToEven(Math.min(high, Math.max(low, value))) };
}

/** The definition divides in the type of `x`: its rounding decides what is halfway between two steps. */
function dividedIn(dtype: DataType): (x: number, scale: number) => number {
  if (dtype === 'float32') return (x, scale) => Math.fround(x / scale);
  if (dtype === 'float16' || dtype === 'bfloat16')
    return (x, scale) => smallFloatValue(dtype, smallFloatBits(dtype, x / scale));
  return (x, scale) => x / scale;
}

interface Parameters {
  readonly zeroPoint: Tensor | undefined;
  readonly scales: Float64Array;
  readonly zeroPoints: Float64Array;
  /** Where each element of `x` finds its scale and zero point. */
  readonly at: Int32Array;
}

function parametersOf(context: ReferenceContext): Parameters {
  const { node } = context;
  const [x, scale, zeroPoint] = [required(context, 0), required(context, 1), context.inputs[2]];
  const scales = float64Of(scale);
  const zeroPoints = zeroPoint === undefined ? new Float64Array(scales.length) : float64Of(zeroPoint);
  return { zeroPoint, scales, zeroPoints, at: placesOf(x.dims, scale.dims, node) };
}

function placesOf(dims: readonly number[], scale: readonly number[], node: ReferenceContext['node']): Int32Array {
  const whole = scale.length === 0 || (scale.length === 1 && scale[0] === 1);
  if (whole)
    return strided(
      dims,
      dims.map(() => 0),
    );
  const axis = normalizeAxis(intOf(node, 'axis', 1), dims.length);
  const block = intOf(node, 'block_size', 0);
  if (block === 0) {
    if (scale.length !== 1 || scale[0] !== dims[axis])
      throw new LatheError('shape', `scale ${formatDims(scale)} does not fit axis ${axis} of ${formatDims(dims)}`);
    return strided(
      dims,
      dims.map((_, other) => (other === axis ? 1 : 0)),
    );
  }
  const fits = scale.length === dims.length && scale[axis] === Math.ceil(dims[axis]! / block);
  if (!fits)
    throw new LatheError('shape', `scale ${formatDims(scale)} does not fit blocks of ${block} in ${formatDims(dims)}`);
  const own = stridesOf(dims);
  const strides = stridesOf(scale);
  const along = (index: number, other: number): number => Math.floor(index / own[other]!) % dims[other]!;
  return Int32Array.from(strided(dims, own), (position) =>
    strides.reduce((sum, stride, other) => {
      const place = along(position, other);
      return sum + stride * (other === axis ? Math.floor(place / block) : place);
    }, 0),
  );
}
