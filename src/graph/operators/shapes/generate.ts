import { dataTypeOf } from '../../../base/dtype.ts';
import { LatheError } from '../../../base/errors.ts';
import { sizeOf } from '../../../base/shape.ts';
import { describeNode, intOf } from '../../attributes.ts';
import {
  addDimensions,
  divideDimensions,
  lengthAtLeastZero,
  productOfDimensions,
  subtractDimensions,
} from '../../dimension.ts';
import type { Shape } from '../../ir.ts';
import type { ShapeRule } from '../shape-rule.ts';
import { constantOf, elementsOfStored } from './constant.ts';
import { ELEMENT_LIMIT, expectRank, inferredTensor, isSmall } from './inferred.ts';

const constant: ShapeRule = ({ node }) => {
  const sparse = node.attributes.get('sparse_value');
  if (sparse?.kind === 'sparseTensor') {
    const { dtype } = sparse.value.values;
    return [dtype === 'undefined' ? undefined : inferredTensor(dtype, sparse.value.dims)];
  }
  const value = constantOf(node);
  if (value === undefined || value.dtype === 'undefined') return [undefined];
  return [inferredTensor(value.dtype, value.dims, elementsOfStored(value))];
};

const constantOfShape: ShapeRule = (context) => {
  const attribute = context.node.attributes.get('value');
  const value = attribute?.kind === 'tensor' ? attribute.value : undefined;
  const dtype = value === undefined || value.dtype === 'undefined' ? 'float32' : value.dtype;
  const count = context.input(0)?.shape?.[0];
  const unknown = typeof count === 'number' && count <= 64 ? new Array<null>(count).fill(null) : undefined;
  const shape = context.elements(0) ?? unknown;
  const element = value && elementsOfStored(value)?.[0];
  const elements = element !== undefined && isSmall(shape) ? new Array(sizeOf(shape)).fill(element) : undefined;
  return [inferredTensor(dtype, shape, elements)];
};

const range: ShapeRule = (context) => {
  const types = [0, 1, 2].map((index) => context.input(index));
  const dtype = types.find((type) => type !== undefined)?.dtype;
  if (dtype === undefined) return [undefined];
  const [start, limit, delta] = [0, 1, 2].map((index) => context.elements(index)?.[0] ?? null);
  if (typeof start === 'number' && typeof limit === 'number' && typeof delta === 'number') {
    const length = Math.max(0, Math.ceil((limit - start) / delta));
    if (!Number.isSafeInteger(length)) return [inferredTensor(dtype, [null])];
    const whole = Number.isInteger(start) && Number.isInteger(delta);
    const elements =
      whole && length <= ELEMENT_LIMIT ? Array.from({ length }, (_, index) => start + index * delta) : undefined;
    return [inferredTensor(dtype, [length], elements)];
  }
  if (typeof delta !== 'number' || !Number.isInteger(delta) || delta === 0) return [inferredTensor(dtype, [null])];
  const [low, high] = delta > 0 ? [start!, limit!] : [limit!, start!];
  const distance = lengthAtLeastZero(subtractDimensions(high, low));
  const stride = Math.abs(delta);
  const length = divideDimensions(stride === 1 ? distance : addDimensions(distance, stride - 1), stride);
  return [inferredTensor(dtype, [length])];
};

/** From operator set 15 only the axes from `start` to `end`. */
const shape: ShapeRule = ({ node, input, inputValue }) => {
  const declared = inputValue(0)?.type;
  const whole: Shape | undefined = input(0)?.shape ?? (declared?.kind === 'tensor' ? declared.shape : undefined);
  if (whole === undefined) return [inferredTensor('int64', [null])];
  const part = whole.slice(intOf(node, 'start', 0), intOf(node, 'end', whole.length));
  return [inferredTensor('int64', [part.length], part)];
};

const size: ShapeRule = ({ input }) => {
  const whole = input(0)?.shape;
  return [inferredTensor('int64', [], whole && [productOfDimensions(whole)])];
};

const eyeLike: ShapeRule = (context) => {
  const type = context.input(0);
  expectRank(context, type, 2, 0);
  const code = intOf(context.node, 'dtype');
  const dtype = code === undefined ? type?.dtype : dataTypeOf(code);
  if (code !== undefined && dtype === undefined) {
    throw new LatheError(
      'invalid-model',
      `${describeNode(context.node)}: "dtype" is ${code}, which is no element type`,
    );
  }
  return [dtype && inferredTensor(dtype, type?.shape)];
};

export const GENERATE = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  EyeLike: eyeLike,
  Range: range,
  Shape: shape,
  Size: size,
} satisfies Record<string, ShapeRule>;
