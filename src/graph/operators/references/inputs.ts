import { LatheError } from '../../../base/errors.ts';
import { numbersOf, type Tensor } from '../../../base/tensor.ts';
import { intsOf } from '../../attributes.ts';
import type { ReferenceContext } from '../reference.ts';

/** An input that the operator cannot do without. */
export function required({ inputs }: ReferenceContext, index: number): Tensor {
  const value = inputs[index];
  if (value === undefined) throw new LatheError('invalid-model', `input ${index} is required but left out`);
  return value;
}

/** The single element of a scalar, or of a tensor with one element, as a number. */
export function scalarOf(value: Tensor, what: string): number {
  const list = numbersOf(value);
  if (list.length !== 1) throw new LatheError('shape', `${what}: expected one element, got ${list.length}`);
  return list[0]!;
}

/** A list of integers that newer operator sets pass as an input and older ones as an attribute. */
export function listOf(context: ReferenceContext, attribute: string, input: number): readonly number[] | undefined {
  const value = context.inputs[input];
  return value === undefined ? intsOf(context.node, attribute) : numbersOf(value);
}

export function sameTypes(values: readonly Tensor[]): void {
  for (const { dtype } of values) {
    if (dtype !== values[0]!.dtype)
      throw new LatheError(
        'shape',
        `expected inputs of one data type, got ${values.map((value) => value.dtype).join(' and ')}`,
      );
  }
}
