import type { DataType } from '../../../base/dtype.ts';
import { intOf } from '../../attributes.ts';
import type { Node } from '../../ir.ts';
import type { ShapeContext, ShapeRule } from '../shape-rule.ts';
import { inferredTensor } from './inferred.ts';
import { MATMUL } from './matmul.ts';
import { WINDOW } from './window.ts';

/**
 * Shape rules of the products that only quantized models have: Lathe does not compute with these operators, yet it
 * counts and measures models that hold them. By domain and operator.
 */
const INTEGER_PRODUCTS: Readonly<Record<string, ShapeRule>> = {
  '.ConvInteger': (context) => typed(WINDOW.Conv(context), 'int32'),
  '.QLinearConv': (context) => typed(WINDOW.Conv(reading(context, 0, 3)), context.input(7)?.dtype ?? 'uint8'),
  '.QLinearMatMul': (context) => typed(MATMUL.MatMul(reading(context, 0, 3)), context.input(7)?.dtype ?? 'uint8'),
  'com.microsoft.DynamicQuantizeMatMul': (context) => typed(MATMUL.MatMul(context), 'float32'),
  'com.microsoft.MatMulIntegerToFloat': (context) => typed(MATMUL.MatMul(context), 'float32'),
  // The weights are packed by blocks: only the attributes say that they are [K, N].
  'com.microsoft.MatMulNBits': ({ node, input }) => {
    const type = input(0);
    return [type && inferredTensor(type.dtype, type.shape && [...type.shape.slice(0, -1), intOf(node, 'N') ?? null])];
  },
};

/** The rule of an operator that only quantized models have; undefined for every other. */
export function integerProductRule({ domain, opType }: Node): ShapeRule | undefined {
  const key = `${domain}.${opType}`;
  return Object.hasOwn(INTEGER_PRODUCTS, key) ? INTEGER_PRODUCTS[key] : undefined;
}

/** The node as if its inputs were these: scales and zero points stand between the factors. */
function reading(context: ShapeContext, ...inputs: readonly number[]): ShapeContext {
  return {
    ...context,
    input: (index) => (inputs[index] === undefined ? undefined : context.input(inputs[index])),
  };
}

function typed([product]: ReturnType<ShapeRule>, dtype: DataType): ReturnType<ShapeRule> {
  return product?.type.kind === 'tensor' ? [inferredTensor(dtype, product.type.shape)] : [undefined];
}
