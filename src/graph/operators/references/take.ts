import { DATA_TYPES, type DataType } from '../../../base/dtype.ts';
import { codesOf, fromCodes } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { sizeOf } from '../../../base/shape.ts';
import { arrayTypeOf, type Tensor, type TensorData, tensor } from '../../../base/tensor.ts';
import { sameTypes } from './inputs.ts';

/** A tensor whose element `i` is element `positions[i]` of `value`, whatever its type. */
export function take(value: Tensor, positions: Int32Array, dims: readonly number[]): Tensor {
  const { dtype } = value;
  const from = codesOf(value);
  if (dtype === 'string') {
    const strings = from as readonly string[];
    return tensor(
      dtype,
      dims,
      Array.from(positions, (position) => strings[position]!),
    );
  }
  const width = placesOf(dtype);
  const out = emptyLike(from, positions.length * width);
  // Both arrays are of one type, which the union of all typed arrays cannot say.
  copy(out as Float64Array, from as Float64Array, positions, width);
  return fromCodes(dtype, dims, out);
}

function copy(out: Float64Array, from: Float64Array, positions: Int32Array, width: number): void {
  if (width === 1) for (let index = 0; index < positions.length; index++) out[index] = from[positions[index]!]!;
  else
    for (let index = 0; index < positions.length; index++)
      for (let place = 0; place < width; place++) out[index * width + place] = from[positions[index]! * width + place]!;
}

/** The elements of several tensors of one type, one after the other. With {@link take}, any choice among them. */
export function join(values: readonly Tensor[]): Tensor {
  if (values.length === 1) return values[0]!;
  sameTypes(values);
  const { dtype } = values[0]!;
  const total = values.reduce((sum, value) => sum + sizeOf(value.dims), 0);
  if (dtype === 'string')
    return tensor(
      dtype,
      [total],
      values.flatMap((value) => value.data as readonly string[]),
    );
  const parts = values.map(codesOf);
  const out = emptyLike(parts[0]!, total * placesOf(dtype)) as Float64Array;
  let offset = 0;
  for (const part of parts as Float64Array[]) {
    out.set(part, offset);
    offset += part.length;
  }
  return fromCodes(dtype, [total], out);
}

/** The same elements in another shape; shares memory. */
export function reshaped(value: Tensor, dims: readonly number[]): Tensor {
  return { dtype: value.dtype, dims, data: value.data };
}

/** One element that stands for zero: 0, false or the empty string. */
export function zeroOf(dtype: DataType): Tensor {
  return dtype === 'string'
    ? tensor(dtype, [1], [''])
    : { dtype, dims: [1], data: new (arrayTypeOf(dtype))(placesOf(dtype)) };
}

function placesOf(dtype: DataType): number {
  return DATA_TYPES[dtype].kind === 'complex' ? 2 : 1;
}

function emptyLike(like: TensorData, length: number): TensorData {
  if (Array.isArray(like)) throw new LatheError('internal', 'strings have no typed array');
  return new (like.constructor as new (length: number) => Float64Array)(length);
}
