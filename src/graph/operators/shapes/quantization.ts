import { type DataType, dataTypeOf } from '../../../base/dtype.ts';
import { intOf } from '../../attributes.ts';
import { differentDimensions } from '../../dimension.ts';
import type { ShapeContext, ShapeRule } from '../shape-rule.ts';
import { axisWithin, hasInput, inferredTensor, shapeError } from './inferred.ts';

/** The type of the zero point, or the one that an attribute names. */
const quantizeLinear: ShapeRule = (context) => {
  const { node, input } = context;
  checkScale(context);
  const dtype = hasInput(node, 2) ? input(2)?.dtype : (dataTypeOf(intOf(node, 'output_dtype', 0)) ?? 'uint8');
  return [dtype && inferredTensor(dtype, input(0)?.shape)];
};

/** The type of the scale. */
const dequantizeLinear: ShapeRule = (context) => {
  const { node, input } = context;
  checkScale(context);
  const named = dataTypeOf(intOf(node, 'output_dtype', 0));
  const dtype: DataType | undefined = named ?? input(1)?.dtype;
  return [dtype && inferredTensor(dtype, input(0)?.shape)];
};

/** A scale for the tensor, for each place of an axis, or for each block along it. */
function checkScale(context: ShapeContext): void {
  const { node, input } = context;
  const shape = input(0)?.shape;
  const scale = input(1)?.shape;
  if (shape === undefined || scale === undefined || scale.length === 0) return;
  if (scale.length === 1 && (scale[0] === 1 || typeof scale[0] !== 'number')) return;
  const axis = axisWithin(context, intOf(node, 'axis', 1), shape.length);
  const blocked = intOf(node, 'block_size', 0) !== 0;
  if (scale.length !== (blocked ? shape.length : 1)) {
    throw shapeError(
      context,
      `the scale needs ${blocked ? shape.length : 'at most 1'} dimensions, got ${scale.length}`,
    );
  }
  if (!blocked && differentDimensions(shape[axis]!, scale[0]!)) {
    throw shapeError(context, `axis ${axis} has ${shape[axis]} places, the scale ${scale[0]}`);
  }
}

const dynamicQuantizeLinear: ShapeRule = ({ input }) => [
  inferredTensor('uint8', input(0)?.shape),
  inferredTensor('float32', []),
  inferredTensor('uint8', []),
];

export const QUANTIZATION = {
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  QuantizeLinear: quantizeLinear,
} satisfies Record<string, ShapeRule>;
