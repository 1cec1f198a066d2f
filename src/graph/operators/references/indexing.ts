import type { DataType } from '../../../base/dtype.ts';
import {
  codesOf,
  float64Of,
  fromFloat64,
  fromIntegers,
  integersOf,
  isInteger,
  isLongInteger,
} from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { formatDims, normalizeAxis, sizeOf, stridesOf } from '../../../base/shape.ts';
import { numbersOf, type Tensor, tensor } from '../../../base/tensor.ts';
import { intOf, stringOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { ADD, MAXIMUM, MINIMUM, MULTIPLY } from './arithmetic.ts';
import type { BinaryKernel } from './elementwise.ts';
import { required, sameTypes, scalarOf } from './inputs.ts';
import { ascending, linesAlong } from './positions.ts';
import { join, take } from './take.ts';

type NumericType = Exclude<DataType, 'string'>;

export const INDEXING = {
  Compress: compress,
  Gather: gather,
  GatherElements: (context) => {
    const x = required(context, 0);
    const indices = required(context, 1);
    const axis = normalizeAxis(intOf(context.node, 'axis', 0), x.dims.length);
    return [take(x, elementPositions(x.dims, indices, axis), indices.dims)];
  },
  GatherND: gatherND,
  NonZero: nonZero,
  OneHot: oneHot,
  ScatterElements: (context) => {
    const indices = required(context, 1);
    const data = required(context, 0);
    const axis = normalizeAxis(intOf(context.node, 'axis', 0), data.dims.length);
    const updates = required(context, 2);
    if (formatDims(updates.dims) !== formatDims(indices.dims))
      throw new LatheError(
        'shape',
        `updates ${formatDims(updates.dims)} and indices ${formatDims(indices.dims)} differ`,
      );
    return [scatter(context, data, elementPositions(data.dims, indices, axis), updates)];
  },
  ScatterND: scatterND,
  TopK: topK,
} satisfies Record<string, Reference>;

/** Indices counted from the front. Throws for one outside [-dim, dim). */
function indicesOf(value: Tensor, dim: number): number[] {
  return numbersOf(value).map((index) => inRange(index, dim));
}

function inRange(index: number, dim: number): number {
  if (index < -dim || index >= dim) throw new LatheError('invalid-data', `index ${index} is outside [${-dim}, ${dim})`);
  return index < 0 ? index + dim : index;
}

function gather(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const indices = required(context, 1);
  const axis = normalizeAxis(intOf(context.node, 'axis', 0), x.dims.length);
  const dim = x.dims[axis]!;
  const chosen = indicesOf(indices, dim);
  const outer = sizeOf(x.dims.slice(0, axis));
  const inner = sizeOf(x.dims.slice(axis + 1));
  const from = new Int32Array(outer * chosen.length * inner);
  let to = 0;
  for (let row = 0; row < outer; row++)
    for (const index of chosen)
      for (let start = (row * dim + index) * inner, k = 0; k < inner; k++) from[to++] = start + k;
  return [take(x, from, [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)])];
}

/** For each element of `indices`: where it points in `dims`, in its own place but for `axis`. */
function elementPositions(dims: readonly number[], indices: Tensor, axis: number): Int32Array {
  if (indices.dims.length !== dims.length)
    throw new LatheError('shape', `indices ${formatDims(indices.dims)} do not fit ${formatDims(dims)}`);
  const chosen = indicesOf(indices, dims[axis]!);
  const strides = stridesOf(dims);
  const own = stridesOf(indices.dims);
  return Int32Array.from(chosen, (index, position) => {
    let at = index * strides[axis]!;
    for (let other = 0; other < dims.length; other++)
      if (other !== axis) at += (Math.floor(position / own[other]!) % indices.dims[other]!) * strides[other]!;
    return at;
  });
}

/** Tuples of indices [..., depth] → the positions where the slices that they name begin, and the size of a slice. */
function tuplePositions(
  dims: readonly number[],
  indices: Tensor,
  batch: number,
): { readonly starts: readonly number[]; readonly size: number } {
  const depth = indices.dims.at(-1);
  if (depth === undefined || depth > dims.length - batch)
    throw new LatheError('shape', `indices ${formatDims(indices.dims)} do not fit ${formatDims(dims)}`);
  const list = numbersOf(indices);
  const strides = stridesOf(dims);
  const tuples = sizeOf(indices.dims.slice(0, -1));
  const batches = sizeOf(dims.slice(0, batch));
  const size = sizeOf(dims.slice(batch + depth));
  const batchSize = sizeOf(dims.slice(batch));
  const starts = Array.from({ length: tuples }, (_, tuple) => {
    let at = batch === 0 ? 0 : Math.floor(tuple / (tuples / batches)) * batchSize;
    for (let k = 0; k < depth; k++) at += inRange(list[tuple * depth + k]!, dims[batch + k]!) * strides[batch + k]!;
    return at;
  });
  return { starts, size };
}

function slices({ starts, size }: { readonly starts: readonly number[]; readonly size: number }): Int32Array {
  const from = new Int32Array(starts.length * size);
  starts.forEach((start, tuple) => {
    for (let k = 0; k < size; k++) from[tuple * size + k] = start + k;
  });
  return from;
}

function gatherND(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const indices = required(context, 1);
  const batch = intOf(context.node, 'batch_dims', 0);
  const positions = slices(tuplePositions(x.dims, indices, batch));
  return [take(x, positions, [...indices.dims.slice(0, -1), ...x.dims.slice(batch + indices.dims.at(-1)!)])];
}

function scatterND(context: ReferenceContext): readonly Tensor[] {
  const data = required(context, 0);
  const updates = required(context, 2);
  const positions = slices(tuplePositions(data.dims, required(context, 1), 0));
  if (positions.length !== sizeOf(updates.dims))
    throw new LatheError('shape', `updates ${formatDims(updates.dims)}: expected ${positions.length} elements`);
  return [scatter(context, data, positions, updates)];
}

const REDUCTIONS: Readonly<Record<string, BinaryKernel>> = {
  add: ADD,
  mul: MULTIPLY,
  max: MAXIMUM,
  min: MINIMUM,
};

/** A copy of `data` with each update set, or combined in order, at its position. */
function scatter(context: ReferenceContext, data: Tensor, positions: Int32Array, updates: Tensor): Tensor {
  sameTypes([data, updates]);
  const reduction = stringOf(context.node, 'reduction', 'none');
  if (reduction === 'none') {
    const from = ascending(sizeOf(data.dims));
    for (let index = 0; index < positions.length; index++) from[positions[index]!] = sizeOf(data.dims) + index;
    return take(join([data, updates]), from, data.dims);
  }
  const kernel = REDUCTIONS[reduction];
  if (kernel === undefined) throw new LatheError('invalid-model', `attribute "reduction" is "${reduction}"`);
  const dtype = data.dtype as NumericType;
  const combined = <T>(values: T[], from: ArrayLike<T>, combine: (a: T, b: T) => T): T[] => {
    for (let index = 0; index < positions.length; index++) {
      const at = positions[index]!;
      values[at] = combine(values[at]!, from[index]!);
    }
    return values;
  };
  if (isInteger(dtype) || dtype === 'bool')
    return fromIntegers(dtype, data.dims, combined(Array.from(integersOf(data)), integersOf(updates), kernel.integer!));
  const values = combined(Array.from(float64Of(data)), float64Of(updates), kernel.float!);
  return fromFloat64(dtype, data.dims, Float64Array.from(values));
}

/** Whether each element is something other than 0 (or the empty string). */
function truthOf(x: Tensor): boolean[] {
  if (x.dtype === 'string') return (x.data as readonly string[]).map((text) => text !== '');
  return Array.from(float64Of(x), (value) => value !== 0);
}

function compress(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const condition = required(context, 1);
  const axis = intOf(context.node, 'axis');
  const chosen = truthOf(condition).flatMap((keep, index) => (keep ? [index] : []));
  if (axis === undefined) return [take(x, Int32Array.from(chosen), [chosen.length])];
  const along = normalizeAxis(axis, x.dims.length);
  const kept = tensor('int64', [chosen.length], BigInt64Array.from(chosen, BigInt));
  return gather({ ...context, inputs: [x, kept], node: { ...context.node, attributes: axisOnly(along) } });
}

const axisOnly = (axis: number): ReferenceContext['node']['attributes'] =>
  new Map([['axis', { kind: 'int', value: axis }]]);

/** The indices of what is not zero, [rank, count]; a scalar counts as one dimension of one element. */
function nonZero(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const dims = x.dims.length === 0 ? [1] : x.dims;
  const strides = stridesOf(dims);
  const found = truthOf(x).flatMap((holds, index) => (holds ? [index] : []));
  const out = dims.flatMap((dim, axis) => found.map((index) => BigInt(Math.floor(index / strides[axis]!) % dim)));
  return [tensor('int64', [dims.length, found.length], BigInt64Array.from(out))];
}

/** Indices outside [-depth, depth) give no "on" value at all. */
function oneHot(context: ReferenceContext): readonly Tensor[] {
  const indices = required(context, 0);
  const depth = Math.trunc(float64Of(required(context, 1))[0]!);
  const values = required(context, 2); // [off, on]
  const rank = indices.dims.length + 1;
  const axis = normalizeAxis(intOf(context.node, 'axis', -1), rank);
  const dims = [...indices.dims.slice(0, axis), depth, ...indices.dims.slice(axis)];
  const inner = sizeOf(indices.dims.slice(axis));
  const from = new Int32Array(sizeOf(dims));
  float64Of(indices).forEach((value, position) => {
    const index = value < 0 ? value + depth : value;
    if (index < 0 || index >= depth) return;
    from[Math.floor(position / inner) * depth * inner + Math.trunc(index) * inner + (position % inner)] = 1;
  });
  return [take(values, from, dims)];
}

/** `k` is an attribute before operator set 10. Of equal elements the first comes first; NaN counts as the largest. */
function topK(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const { node } = context;
  const k = context.inputs[1] === undefined ? intOf(node, 'k') : scalarOf(context.inputs[1], 'k');
  if (k === undefined) throw new LatheError('invalid-model', 'k is missing');
  const axis = normalizeAxis(intOf(node, 'axis', -1), x.dims.length);
  if (k < 0 || k > x.dims[axis]!)
    throw new LatheError('shape', `k = ${k} is more than axis ${axis} of ${formatDims(x.dims)} has`);
  const sign = intOf(node, 'largest', 1) === 1 ? 1 : -1;
  const values = (isLongInteger(x.dtype) ? codesOf(x) : float64Of(x)) as ArrayLike<number | bigint>;
  const dims = x.dims.map((dim, index) => (index === axis ? k : dim));
  const lines = linesAlong(x.dims, [axis]);
  const targets = linesAlong(dims, [axis]);
  const from = new Int32Array(sizeOf(dims));
  const indices = new BigInt64Array(from.length);
  lines.starts.forEach((start, line) => {
    const order = Array.from(lines.offsets.keys()).sort(
      (a, b) => sign * compare(values[start + lines.offsets[b]!]!, values[start + lines.offsets[a]!]!) || a - b,
    );
    for (let index = 0; index < k; index++) {
      const to = targets.starts[line]! + targets.offsets[index]!;
      from[to] = start + lines.offsets[order[index]!]!;
      indices[to] = BigInt(order[index]!);
    }
  });
  return [take(x, from, dims), tensor('int64', dims, indices)];
}

function compare(a: number | bigint, b: number | bigint): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a > b ? 1 : a < b ? -1 : 0;
}
