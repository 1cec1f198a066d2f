import { LatheError } from './errors.ts';

/** Number of elements of a tensor with these dimensions. */
export function sizeOf(dims: readonly number[]): number {
  let size = 1;
  for (const dim of dims) size *= dim;
  return size;
}

/** Row-major strides, in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length);
  let stride = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= dims[axis]!;
  }
  return strides;
}

/** `axis` counted from the front. Throws when it is outside [-rank, rank). */
export function normalizeAxis(axis: number, rank: number, where = 'axis'): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new LatheError('shape', `${where}: expected an axis in [${-rank}, ${rank}), got ${axis}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Multidirectional (NumPy) broadcasting of concrete shapes, as ONNX defines it. */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const dims = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let index = 0; index < shape.length; index++) {
      const axis = rank - shape.length + index;
      const dim = shape[index]!;
      if (dims[axis] === 1) dims[axis] = dim;
      else if (dim !== 1 && dim !== dims[axis]) {
        throw new LatheError('shape', `shapes do not broadcast: ${shapes.map(formatDims).join(' and ')}`);
      }
    }
  }
  return dims;
}

export function formatDims(dims: readonly (number | string | null)[]): string {
  return `[${dims.map((dim) => dim ?? '?').join(', ')}]`;
}
