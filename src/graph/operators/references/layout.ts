import type { DataType } from '../../../base/dtype.ts';
import { fromFloat64 } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { broadcastDims, formatDims, normalizeAxis, sizeOf, stridesOf } from '../../../base/shape.ts';
import { numbersOf, type Tensor, tensorFrom } from '../../../base/tensor.ts';
import { floatOf, intOf, intsOf, stringOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { listOf, required, scalarOf } from './inputs.ts';
import { broadcastStrides, strided } from './positions.ts';
import { join, reshaped, take, zeroOf } from './take.ts';

export const LAYOUT = {
  Concat: concat,
  Expand: (context) => {
    const x = required(context, 0);
    const dims = broadcastDims(x.dims, numbersOf(required(context, 1)));
    return [take(x, strided(dims, broadcastStrides(x.dims, dims)), dims)];
  },
  Flatten: (context) => {
    const x = required(context, 0);
    const axis = intOf(context.node, 'axis', 1);
    const split = axis === x.dims.length ? axis : normalizeAxis(axis, x.dims.length);
    return [reshaped(x, [sizeOf(x.dims.slice(0, split)), sizeOf(x.dims.slice(split))])];
  },
  Identity: (context) => [required(context, 0)],
  Pad: pad,
  Reshape: reshape,
  Shape: (context) => {
    const { dims } = required(context, 0);
    const bound = (value: number): number =>
      Math.min(Math.max(value < 0 ? value + dims.length : value, 0), dims.length);
    const start = bound(intOf(context.node, 'start', 0));
    const end = bound(intOf(context.node, 'end', dims.length));
    return [tensorFrom('int64', dims.slice(start, end))];
  },
  Size: (context) => [tensorFrom('int64', sizeOf(required(context, 0).dims))],
  Slice: slice,
  Split: split,
  Squeeze: squeeze,
  Tile: tile,
  Transpose: (context) => {
    const x = required(context, 0);
    const permutation = intsOf(context.node, 'perm') ?? x.dims.map((_, axis) => x.dims.length - 1 - axis);
    return [transposed(x, permutation)];
  },
  Trilu: triangle,
  Unsqueeze: (context) => {
    const x = required(context, 0);
    const given = listOf(context, 'axes', 1);
    if (given === undefined) throw new LatheError('invalid-model', 'axes are missing');
    const rank = x.dims.length + given.length;
    const axes = new Set(given.map((axis) => normalizeAxis(axis, rank)));
    if (axes.size !== given.length) throw new LatheError('shape', `axes ${formatDims(given)} name an axis twice`);
    const rest = [...x.dims];
    return [
      reshaped(
        x,
        Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : rest.shift()!)),
      ),
    ];
  },
} satisfies Record<string, Reference>;

export function transposed(x: Tensor, permutation: readonly number[]): Tensor {
  if (permutation.length !== x.dims.length || new Set(permutation).size !== permutation.length)
    throw new LatheError('shape', `perm ${formatDims(permutation)} does not fit ${formatDims(x.dims)}`);
  const strides = stridesOf(x.dims);
  const dims = permutation.map((axis) => x.dims[normalizeAxis(axis, x.dims.length, 'perm')]!);
  return take(
    x,
    strided(
      dims,
      permutation.map((axis) => strides[axis]!),
    ),
    dims,
  );
}

function concat(context: ReferenceContext): readonly Tensor[] {
  const values = context.inputs.map((_, index) => required(context, index));
  const first = values[0];
  if (first === undefined) throw new LatheError('invalid-model', 'expected at least one input');
  const rank = first.dims.length;
  const axis = normalizeAxis(intOf(context.node, 'axis', 1), rank);
  for (const { dims } of values) {
    if (dims.length !== rank || dims.some((dim, index) => index !== axis && dim !== first.dims[index]))
      throw new LatheError(
        'shape',
        `inputs differ beside axis ${axis}: ${values.map((value) => formatDims(value.dims)).join(' and ')}`,
      );
  }
  const along = values.reduce((sum, { dims }) => sum + dims[axis]!, 0);
  const dims = first.dims.map((dim, index) => (index === axis ? along : dim));
  const outer = sizeOf(dims.slice(0, axis));
  const inner = sizeOf(dims.slice(axis + 1));
  const from = new Int32Array(sizeOf(dims));
  let start = 0;
  let column = 0;
  for (const value of values) {
    const width = value.dims[axis]! * inner;
    for (let row = 0; row < outer; row++) {
      const to = row * along * inner + column;
      for (let index = 0; index < width; index++) from[to + index] = start + row * width + index;
    }
    start += outer * width;
    column += width;
  }
  return [take(join(values), from, dims)];
}

/** 0 copies the dimension of the input (unless `allowzero`), −1 takes what is left. */
function reshape(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const target = listOf(context, 'shape', 1);
  if (target === undefined) throw new LatheError('invalid-model', 'the new shape is missing');
  const literalZero = intOf(context.node, 'allowzero', 0) === 1;
  const dims = target.map((dim, axis) => {
    if (dim !== 0 || literalZero) return dim;
    if (axis >= x.dims.length)
      throw new LatheError(
        'shape',
        `${formatDims(target)}: 0 at axis ${axis} copies nothing from ${formatDims(x.dims)}`,
      );
    return x.dims[axis]!;
  });
  const open = dims.indexOf(-1);
  // Where the others make 0, what is left is anyone's guess: NaN, which fails below.
  if (open >= 0) dims[open] = sizeOf(x.dims) / sizeOf(dims.filter((_, axis) => axis !== open));
  if (sizeOf(dims) !== sizeOf(x.dims) || dims.some((dim) => dim < 0 || !Number.isInteger(dim)))
    throw new LatheError('shape', `${formatDims(x.dims)} does not reshape to ${formatDims(target)}`);
  return [reshaped(x, dims)];
}

/** Bounds are attributes before operator set 10, then inputs with steps. */
function slice(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const starts = listOf(context, 'starts', 1);
  const ends = listOfClamped(context, 'ends', 2);
  if (starts === undefined || ends === undefined) throw new LatheError('invalid-model', 'starts and ends are missing');
  const axes = (listOf(context, 'axes', 3) ?? starts.map((_, axis) => axis)).map((axis) =>
    normalizeAxis(axis, x.dims.length),
  );
  const steps = (context.inputs[4] && numbersOf(context.inputs[4])) ?? starts.map(() => 1);
  const dims = [...x.dims];
  const strides = stridesOf(x.dims);
  let offset = 0;
  const own = stridesOf(x.dims);
  axes.forEach((axis, index) => {
    const dim = x.dims[axis]!;
    const step = steps[index]!;
    if (step === 0) throw new LatheError('shape', `axis ${axis}: the step is 0`);
    const clamp = (value: number, low: number, high: number): number =>
      Math.min(Math.max(value < 0 ? value + dim : value, low), high);
    const start = step > 0 ? clamp(starts[index]!, 0, dim) : clamp(starts[index]!, 0, dim - 1);
    const end = step > 0 ? clamp(ends[index]!, 0, dim) : clamp(ends[index]!, -1, dim - 1);
    dims[axis] = Math.max(0, Math.ceil((end - start) / step));
    strides[axis] = own[axis]! * step;
    offset += own[axis]! * start;
  });
  return [take(x, strided(dims, strides, offset), dims)];
}

/** Like `listOf`, for bounds: "to the end" is written with integers beyond 2^53, which need not be exact. */
function listOfClamped(context: ReferenceContext, attribute: string, input: number): readonly number[] | undefined {
  const value = context.inputs[input];
  if (value !== undefined) return Array.from(value.data as ArrayLike<number | bigint>, Number);
  const given = context.node.attributes.get(attribute);
  return given?.kind === 'ints' ? given.value.map(Number) : undefined;
}

function split(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const axis = normalizeAxis(intOf(context.node, 'axis', 0), x.dims.length);
  const dim = x.dims[axis]!;
  const count = intOf(context.node, 'num_outputs', context.node.outputs.length);
  const even = Math.ceil(dim / count);
  const sizes =
    listOf(context, 'split', 1) ??
    Array.from({ length: count }, (_, index) => Math.max(0, Math.min(even, dim - index * even)));
  if (sizes.reduce((sum, size) => sum + size, 0) !== dim)
    throw new LatheError('shape', `split ${formatDims(sizes)} does not add up to dimension ${dim} of axis ${axis}`);
  const strides = stridesOf(x.dims);
  let start = 0;
  return sizes.map((size) => {
    const dims = x.dims.map((value, index) => (index === axis ? size : value));
    const part = take(x, strided(dims, strides, start * strides[axis]!), dims);
    start += size;
    return part;
  });
}

function squeeze(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const given = listOf(context, 'axes', 1)?.map((axis) => normalizeAxis(axis, x.dims.length));
  const axes = new Set(given ?? x.dims.flatMap((dim, axis) => (dim === 1 ? [axis] : [])));
  for (const axis of axes)
    if (x.dims[axis] !== 1)
      throw new LatheError('shape', `axis ${axis} of ${formatDims(x.dims)} is not 1, so that it cannot be squeezed`);
  return [
    reshaped(
      x,
      x.dims.filter((_, axis) => !axes.has(axis)),
    ),
  ];
}

function tile(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const repeats = numbersOf(required(context, 1));
  if (repeats.length !== x.dims.length)
    throw new LatheError('shape', `expected ${x.dims.length} repeats, got ${repeats.length}`);
  const strides = stridesOf(x.dims);
  // [repeat, dim] for each axis, the repeats with stride 0
  const split = x.dims.flatMap((dim, axis) => [repeats[axis]!, dim]);
  const steps = strides.flatMap((stride) => [0, stride]);
  return [
    take(
      x,
      strided(split, steps),
      x.dims.map((dim, axis) => dim * repeats[axis]!),
    ),
  ];
}

function triangle(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const diagonal = context.inputs[1] === undefined ? 0 : scalarOf(context.inputs[1], 'k');
  const upper = intOf(context.node, 'upper', 1) === 1;
  const [rows, columns] = x.dims.slice(-2);
  if (rows === undefined || columns === undefined)
    throw new LatheError('shape', `expected at least two dimensions, got ${formatDims(x.dims)}`);
  const size = sizeOf(x.dims);
  const from = new Int32Array(size);
  for (let index = 0; index < size; index++) {
    const column = index % columns;
    const row = Math.floor(index / columns) % rows;
    const kept = upper ? column - row >= diagonal : column - row <= diagonal;
    from[index] = kept ? index : size;
  }
  return [take(join([x, zeroOf(x.dtype)]), from, x.dims)];
}

/** Pads are [starts…, ends…]; negative ones remove elements. */
function pad(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const { node } = context;
  const rank = x.dims.length;
  const pads = listOf(context, 'pads', 1) ?? intsOf(node, 'paddings');
  if (pads === undefined) throw new LatheError('invalid-model', 'pads are missing');
  const axes = context.inputs[3] === undefined ? undefined : numbersOf(context.inputs[3]);
  const padded = (axes ?? x.dims.map((_, axis) => axis)).map((axis) => normalizeAxis(axis, rank));
  if (pads.length !== 2 * padded.length)
    throw new LatheError('shape', `expected ${2 * padded.length} pads, got ${pads.length}`);
  const before = new Array<number>(rank).fill(0);
  const dims = [...x.dims];
  padded.forEach((axis, index) => {
    before[axis] = pads[index]!;
    dims[axis]! += pads[index]! + pads[index + padded.length]!;
  });
  if (dims.some((dim) => dim < 0))
    throw new LatheError('shape', `pads ${formatDims(pads)} remove more than ${formatDims(x.dims)} has`);
  const source = SOURCES[stringOf(node, 'mode', 'constant') as keyof typeof SOURCES];
  if (source === undefined) throw new LatheError('unsupported', `mode "${stringOf(node, 'mode')}"`);
  const strides = stridesOf(x.dims);
  const outside = sizeOf(x.dims);
  // Position by position along each axis, −1 where the fill stands; then the sums of all combinations.
  let from = new Int32Array([0]);
  for (let axis = 0; axis < rank; axis++) {
    const line = Int32Array.from({ length: dims[axis]! }, (_, index) => source(index - before[axis]!, x.dims[axis]!));
    const next = new Int32Array(from.length * line.length);
    for (let outer = 0; outer < from.length; outer++)
      for (let index = 0; index < line.length; index++)
        next[outer * line.length + index] =
          from[outer] === -1 || line[index] === -1 ? -1 : from[outer]! + line[index]! * strides[axis]!;
    from = next;
  }
  for (let index = 0; index < from.length; index++) if (from[index] === -1) from[index] = outside;
  return [take(join([x, fillOf(context, x)]), from, dims)];
}

/** Where a position outside [0, dim) reads from, by mode; −1 for the fill. */
const SOURCES = {
  constant: (index: number, dim: number) => (index >= 0 && index < dim ? index : -1),
  edge: (index: number, dim: number) => (dim === 0 ? -1 : Math.min(Math.max(index, 0), dim - 1)),
  reflect: (index: number, dim: number) => {
    if (dim < 2) return dim === 0 ? -1 : 0;
    const period = 2 * (dim - 1);
    const within = ((index % period) + period) % period;
    return within < dim ? within : period - within;
  },
  wrap: (index: number, dim: number) => (dim === 0 ? -1 : ((index % dim) + dim) % dim),
} as const;

function fillOf(context: ReferenceContext, x: Tensor): Tensor {
  const given = context.inputs[2];
  if (given !== undefined) return reshaped(given, [1]);
  const value = floatOf(context.node, 'value', 0);
  if (value === 0) return zeroOf(x.dtype);
  return fromFloat64(x.dtype as Exclude<DataType, 'string'>, [1], Float64Array.of(value));
}
