import { sizeOf } from '../../../base/shape.ts';
import { type Tensor, tensor, tensorFrom } from '../../../base/tensor.ts';
import type { Dimension, Node, StoredTensor } from '../../ir.ts';
import { stored, tensorOf } from '../../stored.ts';
import { ELEMENT_LIMIT, isInteger } from './inferred.ts';

/** The tensor that a Constant node gives, in whichever of its attributes; undefined for a sparse one. */
export function constantOf(node: Node): StoredTensor | undefined {
  for (const [name, attribute] of node.attributes) {
    if (name === 'value' && attribute.kind === 'tensor') return attribute.value;
    if (name === 'value_int' && attribute.kind === 'int') return stored(int64s([], [BigInt(attribute.value)]));
    if (name === 'value_ints' && attribute.kind === 'ints')
      return stored(int64s([attribute.value.length], attribute.value.map(BigInt)));
    if (name === 'value_float' && attribute.kind === 'float') return stored(tensorFrom('float32', attribute.value));
    if (name === 'value_floats' && attribute.kind === 'floats') return stored(tensorFrom('float32', attribute.value));
    if (name === 'value_string' && attribute.kind === 'string') {
      return { dtype: 'string', dims: [], content: { kind: 'strings', values: [attribute.value] } };
    }
    if (name === 'value_strings' && attribute.kind === 'strings') {
      return { dtype: 'string', dims: [attribute.value.length], content: { kind: 'strings', values: attribute.value } };
    }
  }
  return undefined;
}

function int64s(dims: readonly number[], values: readonly bigint[]): Tensor {
  return tensor('int64', dims, BigInt64Array.from(values));
}

/** As many floats as a Resize has scales. */
const SCALES = 8;

/** The elements of a small integer or boolean tensor, or of a few floats (the scales of a Resize); of others the bytes are not looked at. */
export function elementsOfStored(value: StoredTensor): readonly Dimension[] | undefined {
  const { dtype, content } = value;
  if (dtype === 'undefined' || content.kind !== 'bytes') return undefined;
  const limit =
    isInteger(dtype) || dtype === 'bool' ? ELEMENT_LIMIT : dtype === 'float32' || dtype === 'float64' ? SCALES : -1;
  if (sizeOf(value.dims) > limit) return undefined;
  // Beyond 2^53 the nearest double stands for the element: such numbers are ends of slices.
  const elements = Array.from(tensorOf(value).data, Number);
  return elements.every(Number.isFinite) ? elements : undefined;
}
