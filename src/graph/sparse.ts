import { LatheError } from '../base/errors.ts';
import { formatDims, sizeOf, stridesOf } from '../base/shape.ts';
import { numbersOf, type Tensor, zeros } from '../base/tensor.ts';
import type { SparseTensor } from './ir.ts';
import { tensorOf } from './stored.ts';

/**
 * The dense tensor that a sparse one stands for. `indices` holds positions in the flat tensor, or one row of
 * coordinates an element. Throws for strings and packed types, and for indices outside the shape.
 */
export function denseOf({ values, indices, dims }: SparseTensor): Tensor {
  const elements = tensorOf(values);
  const { dtype } = elements;
  if (dtype === 'string') throw new LatheError('unsupported', 'a sparse tensor of strings');
  const list = numbersOf(tensorOf(indices));
  const count = sizeOf(elements.dims);
  const width = list.length / count;
  const strides = stridesOf(dims);
  if (count > 0 && width !== 1 && width !== dims.length)
    throw new LatheError(
      'invalid-model',
      `sparse tensor ${formatDims(dims)}: ${list.length} indices for ${count} elements`,
    );
  const dense = zeros(dtype, dims);
  if (dense.data.length !== sizeOf(dims) || elements.data.length !== count)
    throw new LatheError('unsupported', `a sparse tensor of ${dtype}`);
  const out = dense.data as Float64Array;
  for (let index = 0; index < count; index++) {
    let at = 0;
    if (indices.dims.length === 1) at = list[index]!;
    else for (let axis = 0; axis < dims.length; axis++) at += list[index * width + axis]! * strides[axis]!;
    if (!(at >= 0 && at < out.length))
      throw new LatheError('invalid-model', `sparse tensor ${formatDims(dims)}: index ${at} is outside`);
    out[at] = elements.data[index] as number;
  }
  return dense;
}
