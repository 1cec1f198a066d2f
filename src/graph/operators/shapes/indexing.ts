import { sizeOf, stridesOf } from '../../../base/shape.ts';
import { intOf, intsOf } from '../../attributes.ts';
import {
  addDimensions,
  divideDimensions,
  formatShape,
  isAtMost,
  lengthAtLeastZero,
  minimumOfDimensions,
  multiplyDimensions,
  subtractDimensions,
  unifyDimensions,
} from '../../dimension.ts';
import type { Dimension, Node, Shape } from '../../ir.ts';
import type { InferredValue, ShapeContext, ShapeRule } from '../shape-rule.ts';
import { selectElements } from './element-arithmetic.ts';
import {
  axesWithin,
  axisWithin,
  elementTensorOf,
  hasInput,
  inferredTensor,
  isConcrete,
  isSmall,
  numbersOfInput,
  shapeError,
} from './inferred.ts';

/** data [..before, axis, after..] at indices: [before, indices.., after]. */
const gather: ShapeRule = (context) => {
  const data = context.input(0);
  if (data === undefined) return [undefined];
  const indices = context.input(1)?.shape;
  if (data.shape === undefined || indices === undefined) return [inferredTensor(data.dtype, undefined)];
  if (data.shape.length === 0) throw shapeError(context, 'input needs at least 1 dimension, got []');
  const axis = axisWithin(context, intOf(context.node, 'axis', 0), data.shape.length);
  const shape = [...data.shape.slice(0, axis), ...indices, ...data.shape.slice(axis + 1)];
  const size = data.shape[axis]!;
  for (const index of context.elements(1) ?? []) {
    if (typeof index === 'number' && typeof size === 'number' && (index < -size || index >= size)) {
      throw shapeError(context, `index ${index} is outside of axis ${axis} of ${formatShape(data.shape)}`);
    }
  }
  return [inferredTensor(data.dtype, shape, gatheredElements(context, axis, shape))];
};

function gatheredElements(context: ShapeContext, axis: number, shape: Shape): Dimension[] | undefined {
  const source = elementTensorOf(context.inputValue(0));
  const indices = elementTensorOf(context.inputValue(1));
  if (source === undefined || indices === undefined || !isSmall(shape)) return undefined;
  const inner = sizeOf(source.dims.slice(axis + 1));
  const size = source.dims[axis]!;
  const out: Dimension[] = [];
  for (let outer = 0; outer < sizeOf(source.dims.slice(0, axis)); outer++) {
    for (const index of indices.elements) {
      const at = typeof index === 'number' ? (index < 0 ? index + size : index) : undefined;
      for (let offset = 0; offset < inner; offset++) {
        out.push(at === undefined ? null : (source.elements[(outer * size + at) * inner + offset] ?? null));
      }
    }
  }
  return out;
}

const gatherElements: ShapeRule = (context) => {
  const data = context.input(0);
  if (data === undefined) return [undefined];
  const indices = context.input(1)?.shape;
  if (data.shape !== undefined) {
    axisWithin(context, intOf(context.node, 'axis', 0), data.shape.length);
    if (indices !== undefined && indices.length !== data.shape.length) {
      throw shapeError(
        context,
        `data and indices differ in rank: ${formatShape(data.shape)} and ${formatShape(indices)}`,
      );
    }
  }
  return [inferredTensor(data.dtype, indices ?? data.shape?.map(() => null))];
};

/** indices [batch.., outer.., depth] over data [batch.., depth.., inner..]: [batch.., outer.., inner..]. */
const gatherND: ShapeRule = (context) => {
  const data = context.input(0);
  if (data === undefined) return [undefined];
  const indices = context.input(1)?.shape;
  const depth = indices?.at(-1);
  if (data.shape === undefined || indices === undefined || typeof depth !== 'number') {
    return [inferredTensor(data.dtype, undefined)];
  }
  const batch = intOf(context.node, 'batch_dims', 0);
  if (batch + depth > data.shape.length || batch >= indices.length) {
    throw shapeError(
      context,
      `indices ${formatShape(indices)} with batch_dims ${batch} do not fit data ${formatShape(data.shape)}`,
    );
  }
  return [inferredTensor(data.dtype, [...indices.slice(0, -1), ...data.shape.slice(batch + depth)])];
};

/** A copy of the data with some places changed. */
const scatterElements: ShapeRule = (context) => {
  const data = context.input(0);
  const indices = context.input(1)?.shape;
  if (data?.shape !== undefined) {
    axisWithin(context, intOf(context.node, 'axis', 0), data.shape.length);
    if (indices !== undefined && indices.length !== data.shape.length) {
      throw shapeError(
        context,
        `data and indices differ in rank: ${formatShape(data.shape)} and ${formatShape(indices)}`,
      );
    }
  }
  return [data && inferredTensor(data.dtype, data.shape)];
};

const scatterND: ShapeRule = (context) => {
  const data = context.input(0);
  const depth = context.input(1)?.shape?.at(-1);
  if (data?.shape !== undefined && typeof depth === 'number' && depth > data.shape.length) {
    throw shapeError(
      context,
      `indices ${formatShape(context.input(1)?.shape)} reach deeper than data ${formatShape(data.shape)}`,
    );
  }
  return [data && inferredTensor(data.dtype, data.shape)];
};

const slice: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  const { shape } = type;
  if (shape === undefined) return [inferredTensor(type.dtype, undefined)];
  const { starts, ends, axes, steps } = sliceArguments(context, shape.length);
  if (axes === undefined)
    return [
      inferredTensor(
        type.dtype,
        shape.map(() => null),
      ),
    ];
  const dims: Dimension[] = [...shape];
  for (const [index, axis] of axesWithin(context, axes, shape.length).entries()) {
    const step = steps === 'unknown' ? null : (steps?.[index] ?? 1);
    if (step === 0) throw shapeError(context, `step along axis ${axis} is 0`);
    dims[axis] = sliceLength(shape[axis]!, starts?.[index] ?? null, ends?.[index] ?? null, step);
  }
  return [inferredTensor(type.dtype, dims, slicedElements(context, dims, axes, starts, steps))];
};

interface SliceArguments {
  readonly starts: readonly Dimension[] | undefined;
  readonly ends: readonly Dimension[] | undefined;
  readonly axes: readonly number[] | undefined;
  readonly steps: readonly Dimension[] | 'unknown' | undefined;
}

/** Attributes before operator set 10, inputs since. */
function sliceArguments(context: ShapeContext, rank: number): SliceArguments {
  const { node, elements } = context;
  const attribute = boundsOf(node, 'starts');
  if (attribute !== undefined) {
    const ends = boundsOf(node, 'ends');
    return { starts: attribute, ends, axes: intsOf(node, 'axes') ?? [...attribute.keys()], steps: undefined };
  }
  const starts = elements(1);
  const ends = elements(2);
  const count = starts?.length ?? ends?.length ?? context.input(1)?.shape?.[0] ?? rank;
  const all = typeof count === 'number' ? Array.from({ length: count }, (_, axis) => axis) : undefined;
  return {
    starts,
    ends,
    axes: hasInput(node, 3) ? numbersOfInput(context, 3) : all,
    steps: hasInput(node, 4) ? (elements(4) ?? 'unknown') : undefined,
  };
}

/** "To the end" is written as the largest int64: the nearest number does for a bound. */
function boundsOf(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'ints' ? attribute.value.map(Number) : undefined;
}

/** Ends at or beyond this mean "to the end", in whatever integer type an exporter writes them. */
const FAR = 2 ** 31 - 1;

/**
 * The length of a slice. A symbolic start or end counts from the front. A symbolic dimension is taken to hold the start
 * and at least one element: `[1:]` of `sequence` is `sequence - 1`, and `[:1]` is 1.
 */
export function sliceLength(dim: Dimension, start: Dimension, end: Dimension, step: Dimension): Dimension {
  if (typeof step !== 'number') return dim === 0 ? 0 : null;
  if (typeof dim === 'number' && typeof start === 'number' && typeof end === 'number') {
    const [from, to] = sliceBounds(dim, start, end, step);
    return Math.max(0, Math.ceil((to - from) / step));
  }
  const distance = step > 0 ? forwardDistance(dim, start, end) : backwardDistance(dim, start, end);
  const stride = Math.abs(step);
  if (typeof distance === 'number' && distance <= 0) return 0;
  return divideDimensions(stride === 1 ? distance : addDimensions(distance, stride - 1), stride);
}

function forwardDistance(dim: Dimension, start: Dimension, end: Dimension): Dimension {
  const from = fromFront(start, dim);
  const to = typeof end === 'number' && end >= FAR ? dim : fromFront(end, dim);
  if (from === 0 && equal(to, dim)) return dim;
  // A symbolic dimension is long enough for a slice that a model cuts at numbers; a symbolic start may lie behind an end.
  const symbolic = typeof from === 'string' || typeof end === 'string';
  const length = (stop: Dimension): Dimension => {
    const difference = subtractDimensions(stop, from);
    return symbolic ? lengthAtLeastZero(difference) : difference;
  };
  const available = length(dim);
  if (equal(to, dim) || isAtMost(dim, to)) return available;
  const wanted = length(to);
  if (isAtMost(to, dim) || (typeof wanted === 'number' && wanted <= 1)) return wanted;
  return minimumOfDimensions(wanted, available);
}

function backwardDistance(dim: Dimension, start: Dimension, end: Dimension): Dimension {
  const last = subtractDimensions(dim, 1);
  const wanted = typeof start === 'number' && start >= FAR ? last : fromFront(start, dim);
  const from = isAtMost(wanted, last) ? wanted : minimumOfDimensions(wanted, last);
  if (typeof end !== 'number' || end >= 0) return subtractDimensions(from, end);
  // Counted from the back, the end may lie before the front, where the slice stops at the first element.
  const toFront = addDimensions(from, 1);
  return end <= -FAR ? toFront : minimumOfDimensions(subtractDimensions(from, addDimensions(dim, end)), toFront);
}

function equal(a: Dimension, b: Dimension): boolean {
  return a !== null && a === b;
}

function fromFront(index: Dimension, dim: Dimension): Dimension {
  if (typeof index !== 'number' || index >= 0) return index;
  return index <= -FAR ? 0 : addDimensions(dim, index);
}

/** First index and the one not reached any more, as the specification clamps them. */
function sliceBounds(dim: number, start: number, end: number, step: number): readonly [number, number] {
  const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
  const from = start < 0 ? start + dim : start;
  const to = end < 0 ? end + dim : end;
  return step > 0 ? [clamp(from, 0, dim), clamp(to, 0, dim)] : [clamp(from, 0, dim - 1), clamp(to, -1, dim - 1)];
}

function slicedElements(
  context: ShapeContext,
  dims: Shape,
  axes: readonly number[],
  starts: readonly Dimension[] | undefined,
  steps: SliceArguments['steps'],
): Dimension[] | undefined {
  const source = elementTensorOf(context.inputValue(0));
  if (source === undefined || !isConcrete(dims) || starts === undefined || steps === 'unknown') return undefined;
  const strides = stridesOf(source.dims);
  const outStrides = [...strides];
  let start = 0;
  for (const [index, axis] of axesWithin(context, axes, dims.length).entries()) {
    const step = steps?.[index] ?? 1;
    const first = starts[index]!;
    if (typeof first !== 'number' || typeof step !== 'number') return undefined;
    start += sliceBounds(source.dims[axis]!, first, 0, step)[0] * strides[axis]!;
    outStrides[axis] = strides[axis]! * step;
  }
  return selectElements(source.elements, dims, outStrides, start);
}

/** Equal parts, or the sizes given as attribute or from operator set 13 as input. */
const split: ShapeRule = (context) => {
  const { node, input } = context;
  const type = input(0);
  const count = node.outputs.length;
  if (type === undefined) return new Array<undefined>(count).fill(undefined);
  const { shape } = type;
  if (shape === undefined) return new Array<InferredValue>(count).fill(inferredTensor(type.dtype, undefined));
  const axis = axisWithin(context, intOf(node, 'axis', 0), shape.length);
  const sizes = splitSizes(context, shape[axis]!, count);
  const source = elementTensorOf(context.inputValue(0));
  let start: Dimension = 0;
  return sizes.map((size) => {
    const dims = shape.map((dim, at) => (at === axis ? size : dim));
    const strides = source && stridesOf(source.dims);
    const elements =
      source && strides && isConcrete(dims) && typeof start === 'number'
        ? selectElements(source.elements, dims, strides, start * strides[axis]!)
        : undefined;
    start = addDimensions(start, size);
    return inferredTensor(type.dtype, dims, elements);
  });
};

function splitSizes(context: ShapeContext, dim: Dimension, count: number): readonly Dimension[] {
  const { node } = context;
  const given = intsOf(node, 'split') ?? (hasInput(node, 1) ? (context.elements(1) ?? 'unknown') : undefined);
  if (given === 'unknown') return count === 1 ? [dim] : new Array<null>(count).fill(null);
  if (given !== undefined && given.length > 0) {
    if (given.length !== count) throw shapeError(context, `${given.length} sizes for ${count} outputs`);
    const total = given.reduce(addDimensions, 0);
    if (typeof total === 'number' && typeof dim === 'number' && total !== dim) {
      throw shapeError(context, `sizes ${formatShape(given)} add up to ${total}, the dimension is ${dim}`);
    }
    return given;
  }
  if (context.opset < 18) {
    if (typeof dim === 'number' && dim % count !== 0) {
      throw shapeError(context, `a dimension of ${dim} has no ${count} equal parts`);
    }
    return new Array<Dimension>(count).fill(divideDimensions(dim, count));
  }
  const part = divideDimensions(addDimensions(dim, count - 1), count);
  const exact = divideDimensions(dim, count);
  if (equal(multiplyDimensions(exact, count), dim)) return new Array<Dimension>(count).fill(exact);
  const parts = new Array<Dimension>(count).fill(part);
  parts[count - 1] = subtractDimensions(dim, multiplyDimensions(part, count - 1));
  return parts;
}

const concat: ShapeRule = (context) => {
  const { node, input } = context;
  const types = node.inputs.map((_, index) => input(index));
  const dtype = types.find((type) => type !== undefined)?.dtype;
  if (dtype === undefined) return [undefined];
  const other = types.find((type) => type !== undefined && type.dtype !== dtype);
  if (other !== undefined) throw shapeError(context, `inputs differ in element type: ${dtype} and ${other.dtype}`);
  const known = types.find((type) => type?.shape !== undefined)?.shape;
  if (known === undefined) return [inferredTensor(dtype, undefined)];
  const axis = axisWithin(context, intOf(node, 'axis', 1), known.length);
  let dims: Dimension[] = [...known];
  let total: Dimension = 0;
  for (const type of types) {
    const shape = type?.shape;
    if (shape !== undefined && shape.length !== known.length) {
      throw shapeError(context, `inputs differ in rank: ${formatShape(known)} and ${formatShape(shape)}`);
    }
    total = addDimensions(total, shape?.[axis] ?? null);
    dims = dims.map((dim, at) => {
      const unified = at === axis || shape === undefined ? dim : unifyDimensions(dim, shape[at]!);
      if (unified === undefined) {
        throw shapeError(
          context,
          `dimensions other than axis ${axis} differ: ${formatShape(known)} and ${formatShape(shape)}`,
        );
      }
      return unified;
    });
  }
  dims[axis] = total;
  return [inferredTensor(dtype, dims, concatenatedElements(context, axis, dims))];
};

function concatenatedElements(context: ShapeContext, axis: number, dims: Shape): Dimension[] | undefined {
  const { node, input, elements } = context;
  if (!isSmall(dims) || node.inputs.every((_, index) => elements(index) === undefined)) return undefined;
  const outer = sizeOf(dims.slice(0, axis));
  const inner = sizeOf(dims.slice(axis + 1));
  const out: Dimension[] = [];
  for (let block = 0; block < outer; block++) {
    for (let index = 0; index < node.inputs.length; index++) {
      const length = (input(index)?.shape?.[axis] as number) * inner;
      const values = elements(index);
      for (let offset = 0; offset < length; offset++) out.push(values?.[block * length + offset] ?? null);
    }
  }
  return out;
}

const compress: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  const condition = numbersOfInput(context, 1);
  const count = condition?.reduce((sum, element) => sum + Math.min(element, 1), 0) ?? null;
  const axis = intOf(context.node, 'axis');
  if (axis === undefined) return [inferredTensor(type.dtype, [count])];
  const { shape } = type;
  if (shape === undefined) return [inferredTensor(type.dtype, undefined)];
  const along = axisWithin(context, axis, shape.length);
  return [
    inferredTensor(
      type.dtype,
      shape.map((dim, at) => (at === along ? count : dim)),
    ),
  ];
};

/** The indices of elements that are not 0: [rank, count]. */
const nonZero: ShapeRule = (context) => {
  const type = context.input(0);
  // Of a scalar the specification makes no rows, ONNX Runtime and NumPy one.
  if (type?.shape?.length === 0) return [inferredTensor('int64', [null, null])];
  const source = elementTensorOf(context.inputValue(0));
  if (source === undefined || !isConcrete(source.elements)) {
    return [inferredTensor('int64', [type?.shape?.length ?? null, null])];
  }
  const found = [...source.elements.keys()].filter((position) => source.elements[position] !== 0);
  const strides = stridesOf(source.dims);
  const elements = source.dims.flatMap((dim, axis) =>
    found.map((position) => Math.floor(position / strides[axis]!) % dim),
  );
  return [inferredTensor('int64', [source.dims.length, found.length], elements)];
};

const oneHot: ShapeRule = (context) => {
  const { node, input, elements } = context;
  const values = input(2);
  if (values === undefined) return [undefined];
  const shape = input(0)?.shape;
  if (shape === undefined) return [inferredTensor(values.dtype, undefined)];
  const axis = axisWithin(context, intOf(node, 'axis', -1), shape.length + 1);
  const given = elements(1)?.[0] ?? null;
  const depth = typeof given === 'number' ? Math.trunc(given) : given;
  return [inferredTensor(values.dtype, [...shape.slice(0, axis), depth, ...shape.slice(axis)])];
};

/** `k` is an attribute before operator set 10, an input since. */
const topK: ShapeRule = (context) => {
  const { node, input, elements } = context;
  const type = input(0);
  const shape = type?.shape;
  if (shape === undefined) return [type && inferredTensor(type.dtype, undefined), inferredTensor('int64', undefined)];
  const axis = axisWithin(context, intOf(node, 'axis', -1), shape.length);
  const k = intOf(node, 'k') ?? elements(1)?.[0] ?? null;
  const size = shape[axis]!;
  if (typeof k === 'number' && typeof size === 'number' && k > size) {
    throw shapeError(context, `k is ${k}, but axis ${axis} of ${formatShape(shape)} is ${size}`);
  }
  const dims = shape.map((dim, at) => (at === axis ? k : dim));
  return [inferredTensor(type!.dtype, dims), inferredTensor('int64', dims)];
};

/** Pads are an attribute before operator set 11, an input since; `axes` from operator set 18. */
const pad: ShapeRule = (context) => {
  const { node, input, elements } = context;
  const type = input(0);
  if (type === undefined) return [undefined];
  const { shape } = type;
  if (shape === undefined) return [inferredTensor(type.dtype, undefined)];
  const pads = intsOf(node, 'pads') ?? elements(1);
  const axes = hasInput(node, 3) ? numbersOfInput(context, 3) : [...shape.keys()];
  if (pads === undefined || axes === undefined)
    return [
      inferredTensor(
        type.dtype,
        shape.map(() => null),
      ),
    ];
  if (pads.length !== axes.length * 2) {
    throw shapeError(context, `${formatShape(shape)} needs ${axes.length * 2} pads, got ${pads.length}`);
  }
  const dims: Dimension[] = [...shape];
  for (const [index, axis] of axesWithin(context, axes, shape.length).entries()) {
    dims[axis] = addDimensions(addDimensions(dims[axis]!, pads[index]!), pads[index + axes.length]!);
  }
  return [inferredTensor(type.dtype, dims)];
};

export const INDEXING = {
  Compress: compress,
  Concat: concat,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  NonZero: nonZero,
  OneHot: oneHot,
  Pad: pad,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  Slice: slice,
  Split: split,
  TopK: topK,
} satisfies Record<string, ShapeRule>;
