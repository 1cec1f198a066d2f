import { byteSize } from '../base/dtype.ts';
import { LatheError } from '../base/errors.ts';
import { formatDims, sizeOf } from '../base/shape.ts';
import { arrayTypeOf, type Tensor, tensor } from '../base/tensor.ts';
import type { StoredTensor } from './ir.ts';

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * The tensor to compute with. Its array is a view of the stored bytes where their alignment allows, else a copy.
 * Throws for external data, which must be loaded first (`loadExternalData`), and where the bytes do not fill the shape.
 */
export function tensorOf(value: StoredTensor): Tensor {
  const where = `tensor "${value.name ?? ''}"`;
  if (value.dtype === 'undefined') throw new LatheError('invalid-model', `${where} has no data type`);
  const { content } = value;
  if (content.kind === 'external') {
    throw new LatheError('io', `${where} is stored in "${content.location}", which is not loaded`, {
      hint: 'Load it with loadExternalData() first.',
    });
  }
  if (content.kind === 'strings')
    return tensor(
      'string',
      value.dims,
      content.values.map((item) => decoder.decode(item)),
    );
  if (value.dtype === 'string')
    throw new LatheError('invalid-model', `${where}: strings cannot be stored as raw bytes`);
  if (value.dims.some((dim) => dim < 0)) {
    throw new LatheError('invalid-model', `${where} has a negative dimension: ${formatDims(value.dims)}`);
  }
  const expected = byteSize(value.dtype, sizeOf(value.dims))!;
  const { bytes } = content;
  if (bytes.byteLength !== expected) {
    throw new LatheError(
      'invalid-model',
      `${where}: ${value.dtype}${formatDims(value.dims)} needs ${expected} bytes, got ${bytes.byteLength}`,
    );
  }
  const ArrayType = arrayTypeOf(value.dtype);
  const aligned = bytes.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return {
    dtype: value.dtype,
    dims: value.dims,
    data: new ArrayType(aligned.buffer, aligned.byteOffset, expected / ArrayType.BYTES_PER_ELEMENT),
  };
}

/** The other way: stores a tensor, sharing its memory. */
export function stored(value: Tensor, name?: string): StoredTensor {
  const { data, dtype, dims } = value;
  const named = name === undefined ? {} : { name };
  if (isStrings(data))
    return { ...named, dtype, dims, content: { kind: 'strings', values: data.map((item) => encoder.encode(item)) } };
  return {
    ...named,
    dtype,
    dims,
    content: { kind: 'bytes', bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) },
  };
}

function isStrings(data: Tensor['data']): data is readonly string[] {
  return Array.isArray(data);
}
