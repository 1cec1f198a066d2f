import { sizeOf, stridesOf } from '../../../base/shape.ts';

/**
 * Positions of elements in a flat row-major tensor. Operators that move data are maps from output positions to input
 * positions; operators that work along axes are pairs of such lists whose sums are the positions.
 */

/** The position of each element of a strided view, in row-major order of `dims`. */
export function strided(dims: readonly number[], strides: readonly number[], offset = 0): Int32Array {
  const out = new Int32Array(sizeOf(dims));
  if (out.length === 0) return out;
  out[0] = offset;
  let count = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const dim = dims[axis]!;
    const stride = strides[axis]!;
    for (let index = 1; index < dim; index++) {
      const start = index * count;
      const shift = index * stride;
      for (let inner = 0; inner < count; inner++) out[start + inner] = out[inner]! + shift;
    }
    count *= dim;
  }
  return out;
}

/** 0, 1, 2, … */
export function ascending(count: number, from = 0): Int32Array {
  const out = new Int32Array(count);
  for (let index = 0; index < count; index++) out[index] = from + index;
  return out;
}

/** The strides with which a tensor of `dims` is read as one of `target`: 0 along axes that are repeated. */
export function broadcastStrides(dims: readonly number[], target: readonly number[]): number[] {
  const own = stridesOf(dims);
  const lead = target.length - dims.length;
  return target.map((_, axis) => (axis < lead || dims[axis - lead] === 1 ? 0 : own[axis - lead]!));
}

/** Where each element of `target` reads from a tensor of `dims`. Undefined where that is its own position. */
export function broadcastPositions(dims: readonly number[], target: readonly number[]): Int32Array | undefined {
  if (sizeOf(dims) === sizeOf(target)) return undefined;
  return strided(target, broadcastStrides(dims, target));
}

/**
 * A tensor as lines along some of its axes: element `k` of line `l` is at `starts[l] + offsets[k]`. Lines come in the
 * row-major order of the axes that are kept, elements in that of the axes that are not.
 */
export interface Lines {
  readonly starts: Int32Array;
  readonly offsets: Int32Array;
}

export function linesAlong(dims: readonly number[], axes: readonly number[]): Lines {
  const strides = stridesOf(dims);
  const along = new Set(axes);
  const kept = dims.map((_, axis) => axis).filter((axis) => !along.has(axis));
  const reduced = [...along].sort((a, b) => a - b);
  const pick = (list: readonly number[]): Int32Array =>
    strided(
      list.map((axis) => dims[axis]!),
      list.map((axis) => strides[axis]!),
    );
  return { starts: pick(kept), offsets: pick(reduced) };
}
