import { isFloat, LatheError, type Tensor, tensorFrom } from '../base/index.ts';
import {
  type Graph,
  type InferredValue,
  intOf,
  intsOf,
  type Node,
  type TensorType,
  tensorOf,
  tensorValueOf,
  type Value,
} from '../graph/index.ts';
import type { GradientContext } from './rule.ts';

export interface Known {
  readonly typeOf: GradientContext['typeOf'];
  readonly shapeOf: GradientContext['shapeOf'];
  readonly dataTypeOf: GradientContext['dataTypeOf'];
  readonly constantOf: (value: Value) => Tensor | undefined;
}

/**
 * What is known of the values of the forward graph. Those in `wanted` are not constants, even where they are
 * initializers: whoever asks for their gradients is about to change them.
 */
export function knownValues(graph: Graph, types: ReadonlyMap<string, InferredValue>, wanted: readonly string[]): Known {
  const variable = new Set([...graph.inputs.map(({ name }) => name), ...wanted]);
  const constants = new Map<string, Node>();
  for (const node of graph.nodes) {
    if (node.opType === 'Constant' && node.domain === '') constants.set(node.outputs[0]!, node);
  }
  const typeOf = (value: Value): TensorType | undefined => tensorTypeOf(types.get(value));
  return {
    typeOf,
    shapeOf(value) {
      const shape = typeOf(value)?.shape;
      if (shape !== undefined) return shape;
      throw new LatheError('unsupported', `the number of dimensions of "${value}" is not known`, {
        hint: 'Give it a shape in the value_info of the model; the dimensions themselves may stay open.',
      });
    },
    dataTypeOf(value) {
      const dtype = typeOf(value)?.dtype;
      if (dtype !== undefined && dtype !== 'string') return dtype;
      throw new LatheError('unsupported', `the element type of "${value}" is not known`, {
        hint: 'Give it a type in the value_info of the model.',
      });
    },
    constantOf(value) {
      if (variable.has(value)) return undefined;
      const initializer = graph.initializers.get(value);
      if (initializer !== undefined) return initializer.content.kind === 'external' ? undefined : tensorOf(initializer);
      const node = constants.get(value);
      if (node === undefined) return undefined;
      const tensor = tensorValueOf(node, 'value');
      if (tensor !== undefined) return tensor;
      const integer = intOf(node, 'value_int');
      const list = integer === undefined ? intsOf(node, 'value_ints') : integer;
      return list === undefined ? undefined : tensorFrom('int64', list);
    },
  };
}

export function tensorTypeOf(value: InferredValue | undefined): TensorType | undefined {
  const type = value?.type;
  if (type?.kind !== 'tensor' || type.dtype === 'undefined') return undefined;
  return { dtype: type.dtype, ...(type.shape !== undefined && { shape: type.shape }) };
}

/** Whether a gradient can flow through a value: anything but integers, booleans and strings (unknown types may). */
export function mayCarryGradient(value: InferredValue | undefined): boolean {
  const type = value?.type;
  return type === undefined || type.kind !== 'tensor' || type.dtype === 'undefined' || isFloat(type.dtype);
}
