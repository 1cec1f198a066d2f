import type { DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64 } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { formatDims, sizeOf, stridesOf } from '../../../base/shape.ts';
import { type Tensor, tensor } from '../../../base/tensor.ts';
import { intOf, intsOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { extentOf, type KnownWindow, knownWindow, tapPositions, windowOver } from '../window.ts';
import { required } from './inputs.ts';

type NumericType = Exclude<DataType, 'string'>;

export const POOLING = {
  AveragePool: (context) => {
    const { x, window, sizes } = pooled(context);
    const counts = intOf(context.node, 'count_include_pad', 0) === 0 ? undefined : paddedCounts(window, sizes);
    return [overWindows(x, window, sizes, (values, place) => total(values) / (counts?.[place] ?? values.length))];
  },
  GlobalAveragePool: global((values) => total(values) / values.length),
  GlobalLpPool: (context) => global(norm(intOf(context.node, 'p', 2)))(context),
  GlobalMaxPool: global((values) => values.reduce((most, value) => Math.max(most, value), -Infinity)),
  LpPool: (context) => {
    const { x, window, sizes } = pooled(context);
    return [overWindows(x, window, sizes, norm(intOf(context.node, 'p', 2)))];
  },
  MaxPool: maxPool,
} satisfies Record<string, Reference>;

/** The largest element of each window, and its position in the whole input, row-major or with the first spatial axis fastest. */
function maxPool(context: ReferenceContext): readonly Tensor[] {
  const { x, window, sizes } = pooled(context);
  const taps = tapPositions(window, sizes);
  const [inner, outer] = [sizeOf(sizes), sizeOf(window.places)];
  const planes = x.dims[0]! * x.dims[1]!;
  const values = float64Of(x);
  const out = new Float64Array(planes * outer);
  const positions = new BigInt64Array(planes * outer);
  const columns = intOf(context.node, 'storage_order', 0) === 1;
  for (let plane = 0; plane < planes; plane++)
    for (let place = 0; place < outer; place++) {
      let best = -1;
      for (const row of taps) {
        const position = row[place]!;
        if (position < 0) continue;
        if (best < 0 || values[plane * inner + position]! > values[plane * inner + best]!) best = position;
      }
      out[plane * outer + place] = best < 0 ? -Infinity : values[plane * inner + best]!;
      positions[plane * outer + place] = BigInt(plane * inner + (columns ? columnMajor(best, sizes) : best));
    }
  const dims = [...x.dims.slice(0, 2), ...window.places];
  return [fromFloat64(x.dtype as NumericType, dims, out), tensor('int64', dims, positions)];
}

function columnMajor(position: number, sizes: readonly number[]): number {
  const strides = stridesOf(sizes);
  let result = 0;
  let stride = 1;
  for (const [axis, size] of sizes.entries()) {
    result += (Math.floor(position / strides[axis]!) % size) * stride;
    stride *= size;
  }
  return result;
}

function pooled(context: ReferenceContext): {
  readonly x: Tensor;
  readonly window: KnownWindow;
  readonly sizes: readonly number[];
} {
  const x = required(context, 0);
  const kernel = intsOf(context.node, 'kernel_shape');
  if (kernel === undefined) throw new LatheError('invalid-model', 'attribute "kernel_shape" is required but left out');
  const sizes = planar(x).dims.slice(2);
  return { x, window: knownWindow(windowOver(context.node, kernel, sizes))!, sizes };
}

function planar(x: Tensor): Tensor {
  if (x.dims.length >= 3) return x;
  throw new LatheError('shape', `expected [batch, channels, ...], got ${formatDims(x.dims)}`);
}

/** For each place one number of the elements that its window reads, padding left out. */
function overWindows(
  x: Tensor,
  window: KnownWindow,
  sizes: readonly number[],
  reduce: (values: Float64Array, place: number) => number,
): Tensor {
  const taps = tapPositions(window, sizes);
  const [inner, outer] = [sizeOf(sizes), sizeOf(window.places)];
  const planes = x.dims[0]! * x.dims[1]!;
  const values = float64Of(x);
  const out = new Float64Array(planes * outer);
  for (let place = 0; place < outer; place++) {
    const read = taps.map((row) => row[place]!).filter((position) => position >= 0);
    for (let plane = 0; plane < planes; plane++)
      out[plane * outer + place] = reduce(
        Float64Array.from(read, (position) => values[plane * inner + position]!),
        place,
      );
  }
  return fromFloat64(x.dtype as NumericType, [...x.dims.slice(0, 2), ...window.places], out);
}

/** How many taps of each window lie in the input or its padding: with ceil_mode the last window may reach behind both. */
function paddedCounts(window: KnownWindow, sizes: readonly number[]): number[] {
  const { kernel, strides, dilations, begin, end, places } = window;
  let counts = [1];
  for (const [axis, taps] of kernel.entries()) {
    const padded = begin[axis]! + sizes[axis]! + end[axis]!;
    const along = Array.from({ length: places[axis]! }, (_, place) => {
      const room = padded - place * strides[axis]!;
      return room >= extentOf(kernel, dilations, axis) ? taps : Math.ceil(room / dilations[axis]!);
    });
    counts = counts.flatMap((outer) => along.map((count) => outer * count));
  }
  return counts;
}

function global(reduce: (values: Float64Array) => number): Reference {
  return (context) => {
    const x = planar(required(context, 0));
    const inner = sizeOf(x.dims.slice(2));
    const values = float64Of(x);
    const out = Float64Array.from({ length: x.dims[0]! * x.dims[1]! }, (_, plane) =>
      reduce(values.subarray(plane * inner, (plane + 1) * inner)),
    );
    return [
      fromFloat64(
        x.dtype as NumericType,
        x.dims.map((dim, axis) => (axis < 2 ? dim : 1)),
        out,
      ),
    ];
  };
}

function norm(p: number): (values: Float64Array) => number {
  return (values) => values.reduce((total, value) => total + Math.abs(value) ** p, 0) ** (1 / p);
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
