import type { DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64, fromIntegers, integersOf, isInteger } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { broadcastDims, sizeOf } from '../../../base/shape.ts';
import type { Tensor } from '../../../base/tensor.ts';
import { intOf } from '../../attributes.ts';
import type { Node } from '../../ir.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required, sameTypes } from './inputs.ts';
import { broadcastPositions } from './positions.ts';
import { reshaped } from './take.ts';

type NumericType = Exclude<DataType, 'string'>;

/** An operator on each element by itself. The kernel is made once a node, from its attributes. */
export function unary(
  float: (node: Node) => (x: number) => number,
  integer?: (node: Node) => (x: bigint) => bigint,
): Reference {
  return (context) => {
    const x = required(context, 0);
    if (isInteger(x.dtype)) {
      if (integer === undefined) throw notDefinedFor(x.dtype);
      const kernel = integer(context.node);
      return [fromIntegers(x.dtype as NumericType, x.dims, Array.from(integersOf(x), kernel))];
    }
    return [mapFloat64(numeric(x), float(context.node))];
  };
}

export function mapFloat64(x: Tensor, kernel: (x: number) => number): Tensor {
  const from = float64Of(x);
  const out = new Float64Array(from.length);
  for (let index = 0; index < out.length; index++) out[index] = kernel(from[index]!);
  return fromFloat64(x.dtype as NumericType, x.dims, out);
}

export interface BinaryKernel {
  readonly float: (a: number, b: number) => number;
  readonly integer: (a: bigint, b: bigint) => bigint;
}

/** An operator on two tensors of one type, broadcast against each other. The result has their type. */
export function binary(kernel: BinaryKernel): Reference {
  return (context) => [combine(...operands(context), kernel)];
}

/** An operator on any number of tensors of one type, applied from the left and rounded at the end. */
export function variadic({ float, integer }: BinaryKernel): Reference {
  return (context) => {
    const values = context.inputs.map((_, index) => required(context, index));
    const [first, ...rest] = values;
    if (first === undefined) throw new LatheError('invalid-model', 'expected at least one input');
    sameTypes(values);
    const dtype = numeric(first).dtype as NumericType;
    const dims = broadcastDims(...values.map((value) => value.dims));
    if (isInteger(dtype)) return [rest.reduce((left, right) => combine(left, right, { float, integer }), first)];
    let result = float64Of(first);
    let sofar = first.dims;
    for (const value of rest) {
      result = zipFloat64(result, sofar, float64Of(value), value.dims, dims, float);
      sofar = dims;
    }
    return [rest.length === 0 ? first : fromFloat64(dtype, dims, result)];
  };
}

export function combine(a: Tensor, b: Tensor, { float, integer }: BinaryKernel): Tensor {
  sameTypes([a, b]);
  const dtype = numeric(a).dtype as NumericType;
  const dims = broadcastDims(a.dims, b.dims);
  if (isInteger(dtype))
    return fromIntegers(dtype, dims, zip(integersOf(a), a.dims, integersOf(b), b.dims, dims, integer));
  return fromFloat64(dtype, dims, zipFloat64(float64Of(a), a.dims, float64Of(b), b.dims, dims, float));
}

/** Throws for booleans, which would pass for the numbers 0 and 1. */
function numeric(x: Tensor): Tensor {
  if (x.dtype === 'bool') throw notDefinedFor(x.dtype);
  return x;
}

function notDefinedFor(dtype: DataType): LatheError {
  return new LatheError('shape', `the operator is not defined for ${dtype}`);
}

/** The two inputs of a broadcasting operator, in the form that operator sets before 7 wrote as well. */
export function operands(context: ReferenceContext): [Tensor, Tensor] {
  const a = required(context, 0);
  const b = required(context, 1);
  if (context.opset >= 7 || intOf(context.node, 'broadcast', 0) === 0) return [a, b];
  const axis = intOf(context.node, 'axis');
  if (axis === undefined) return [a, b];
  const trailing = a.dims.length - (axis < 0 ? axis + a.dims.length : axis) - b.dims.length;
  return [a, reshaped(b, [...b.dims, ...new Array<number>(Math.max(0, trailing)).fill(1)])];
}

export function zipFloat64(
  a: Float64Array,
  aDims: readonly number[],
  b: Float64Array,
  bDims: readonly number[],
  dims: readonly number[],
  kernel: (a: number, b: number) => number,
): Float64Array {
  const aAt = broadcastPositions(aDims, dims);
  const bAt = broadcastPositions(bDims, dims);
  const size = sizeOf(dims);
  const out = new Float64Array(size);
  for (let index = 0; index < size; index++) {
    out[index] = kernel(a[aAt === undefined ? index : aAt[index]!]!, b[bAt === undefined ? index : bAt[index]!]!);
  }
  return out;
}

export function zip<T, R>(
  a: ArrayLike<T>,
  aDims: readonly number[],
  b: ArrayLike<T>,
  bDims: readonly number[],
  dims: readonly number[],
  kernel: (a: T, b: T) => R,
): R[] {
  const aAt = broadcastPositions(aDims, dims);
  const bAt = broadcastPositions(bDims, dims);
  const size = sizeOf(dims);
  const out = new Array<R>(size);
  for (let index = 0; index < size; index++) {
    out[index] = kernel(a[aAt === undefined ? index : aAt[index]!]!, b[bAt === undefined ? index : bAt[index]!]!);
  }
  return out;
}
