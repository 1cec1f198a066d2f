import { type DataType, dataTypeOf } from '../../../base/dtype.ts';
import { LatheError } from '../../../base/errors.ts';
import { describeNode, intOf } from '../../attributes.ts';
import { broadcastShapes, formatShape, isAtMost, maximumOfDimensions, subtractDimensions } from '../../dimension.ts';
import type { Dimension, Shape, TensorType } from '../../ir.ts';
import type { InferredValue, ShapeContext, ShapeRule } from '../shape-rule.ts';
import {
  broadcastElements,
  castElement,
  combineElements,
  ELEMENT_FUNCTIONS,
  type ElementFunction,
  moduloFunction,
} from './element-arithmetic.ts';
import { axisWithin, elementTensorOf, inferredTensor, isSmall, shapeError } from './inferred.ts';

/** One input, and an output of its type and shape. */
const same: ShapeRule = ({ input }) => {
  const type = input(0);
  return [type && inferredTensor(type.dtype, type.shape)];
};

function sameWithElements(apply: (element: Dimension, dtype: DataType) => Dimension): ShapeRule {
  return ({ input, elements }) => {
    const type = input(0);
    return [
      type &&
        inferredTensor(
          type.dtype,
          type.shape,
          elements(0)?.map((element) => apply(element, type.dtype)),
        ),
    ];
  };
}

function absolute(element: Dimension): Dimension {
  if (typeof element === 'number') return Math.abs(element);
  return isAtMost(0, element) ? element : null;
}

/** Symbols stand for integers already. */
function rounded(round: (value: number) => number): (element: Dimension) => Dimension {
  return (element) => (typeof element === 'number' ? round(element) : element);
}

const test: ShapeRule = ({ input }) => [inferredTensor('bool', input(0)?.shape)];

const not: ShapeRule = ({ input, elements }) => [
  inferredTensor(
    'bool',
    input(0)?.shape,
    elements(0)?.map((element) => (typeof element === 'number' ? 1 - element : null)),
  ),
];

/** Any number of inputs, broadcast; the output's type is `dtype` or that of the inputs. */
function broadcasting(combine?: ElementFunction, dtype?: 'bool'): ShapeRule {
  return (context) => {
    const types = context.node.inputs.map((_, index) => context.input(index));
    const inputType = commonType(context, types);
    const outputType = dtype ?? inputType;
    if (outputType === undefined) return [undefined];
    const shape = broadcastInputs(context, types);
    return [inferredTensor(outputType, shape, combine && inputType && fold(context, shape, inputType, combine))];
  };
}

function fold(
  context: ShapeContext,
  shape: Shape | undefined,
  dtype: DataType,
  combine: ElementFunction,
): readonly Dimension[] | undefined {
  if (!isSmall(shape) || alongAxis(context)) return undefined;
  const operands = context.node.inputs.map((_, index) => elementTensorOf(context.inputValue(index)));
  const [first, ...others] = operands;
  if (first === undefined) return undefined;
  let result = { dims: shape, elements: broadcastElements(first, shape) };
  for (const other of others) {
    if (other === undefined) return undefined;
    result = { dims: shape, elements: combineElements(result, other, shape, dtype, combine) };
  }
  return result.elements;
}

function commonType(context: ShapeContext, types: readonly (TensorType | undefined)[], from = 0): DataType | undefined {
  let common: DataType | undefined;
  for (let index = from; index < types.length; index++) {
    const dtype = types[index]?.dtype;
    if (dtype === undefined) continue;
    if (common !== undefined && common !== dtype) {
      throw shapeError(
        context,
        `inputs differ in element type: ${types
          .slice(from)
          .map((type) => type?.dtype ?? '?')
          .join(' and ')}`,
      );
    }
    common = dtype;
  }
  return common;
}

function alongAxis({ opset, node }: ShapeContext): boolean {
  return opset < 7 && node.attributes.has('axis');
}

export function broadcastInputs(context: ShapeContext, types: readonly (TensorType | undefined)[]): Shape | undefined {
  // Before operator set 7 the second input was broadcast to the first, along any axes in a row.
  if (alongAxis(context)) return types[0]?.shape;
  const shapes: Shape[] = [];
  for (const type of types) {
    if (type?.shape === undefined) return undefined;
    shapes.push(type.shape);
  }
  const shape = broadcastShapes(shapes);
  if (shape !== undefined) return shape;
  throw shapeError(context, `shapes do not broadcast: ${shapes.map(formatShape).join(' and ')}`);
}

/** The exponent may have another type than the base, which gives the output's. */
const pow: ShapeRule = (context) => {
  const types = [context.input(0), context.input(1)];
  const shape = broadcastInputs(context, types);
  return [types[0] && inferredTensor(types[0].dtype, shape)];
};

const where: ShapeRule = (context) => {
  const types = [context.input(0), context.input(1), context.input(2)];
  const dtype = commonType(context, types, 1);
  if (dtype === undefined) return [undefined];
  const shape = broadcastInputs(context, types);
  const [condition, then, otherwise] = [0, 1, 2].map((index) => elementTensorOf(context.inputValue(index)));
  if (!isSmall(shape) || condition === undefined) return [inferredTensor(dtype, shape)];
  const unknown = { dims: [], elements: [null] };
  const chosen = broadcastElements(then ?? unknown, shape);
  const rejected = broadcastElements(otherwise ?? unknown, shape);
  const elements = broadcastElements(condition, shape).map((element, index) =>
    typeof element !== 'number'
      ? chosen[index] === rejected[index]
        ? chosen[index]!
        : null
      : element !== 0
        ? chosen[index]!
        : rejected[index]!,
  );
  return [inferredTensor(dtype, shape, elements)];
};

function castTo(context: ShapeContext, dtype: DataType): readonly InferredValue[] {
  const { input, inputValue, elements } = context;
  const declared = inputValue(0)?.type;
  const shape = input(0)?.shape ?? (declared?.kind === 'tensor' ? declared.shape : undefined);
  return [
    inferredTensor(
      dtype,
      shape,
      elements(0)?.map((element) => castElement(element, dtype)),
    ),
  ];
}

const cast: ShapeRule = (context) => {
  // Before operator set 6 the type was a name.
  if (context.node.attributes.get('to')?.kind === 'string') return [undefined];
  const code = intOf(context.node, 'to', 0);
  const dtype = dataTypeOf(code);
  if (dtype === undefined) {
    throw new LatheError('invalid-model', `${describeNode(context.node)}: "to" is ${code}, which is no element type`);
  }
  return castTo(context, dtype);
};

const castLike: ShapeRule = (context) => {
  const like = context.input(1);
  return like === undefined ? [undefined] : castTo(context, like.dtype);
};

const identity: ShapeRule = ({ inputValue }) => [inputValue(0)];

/** Before operator set 10 the mask had the type of the data. */
const dropout: ShapeRule = ({ input, opset }) => {
  const type = input(0);
  if (type === undefined) return [undefined, undefined];
  return [inferredTensor(type.dtype, type.shape), inferredTensor(opset < 10 ? type.dtype : 'bool', type.shape)];
};

const cumSum: ShapeRule = (context) => {
  const type = context.input(0);
  const axis = context.elements(1)?.[0];
  if (type?.shape !== undefined && typeof axis === 'number') axisWithin(context, axis, type.shape.length);
  return same(context);
};

const trilu: ShapeRule = (context) => {
  const shape = context.input(0)?.shape;
  if (shape !== undefined && shape.length < 2) {
    throw shapeError(context, `input needs at least 2 dimensions, got ${formatShape(shape)}`);
  }
  return same(context);
};

export const ELEMENTWISE = {
  Abs: sameWithElements(absolute),
  Acos: same,
  Acosh: same,
  Add: broadcasting(ELEMENT_FUNCTIONS.Add),
  And: broadcasting(ELEMENT_FUNCTIONS.And, 'bool'),
  Asin: same,
  Asinh: same,
  Atan: same,
  Atanh: same,
  Cast: cast,
  CastLike: castLike,
  Ceil: sameWithElements(rounded(Math.ceil)),
  Celu: same,
  Clip: same,
  Cos: same,
  Cosh: same,
  CumSum: cumSum,
  Div: broadcasting(ELEMENT_FUNCTIONS.Div),
  Dropout: dropout,
  Elu: same,
  Equal: broadcasting(ELEMENT_FUNCTIONS.Equal, 'bool'),
  Erf: same,
  Exp: same,
  Floor: sameWithElements(rounded(Math.floor)),
  Gelu: same,
  Greater: broadcasting(ELEMENT_FUNCTIONS.Greater, 'bool'),
  GreaterOrEqual: broadcasting(ELEMENT_FUNCTIONS.GreaterOrEqual, 'bool'),
  HardSigmoid: same,
  HardSwish: same,
  Identity: identity,
  IsInf: test,
  IsNaN: test,
  LeakyRelu: same,
  Less: broadcasting(ELEMENT_FUNCTIONS.Less, 'bool'),
  LessOrEqual: broadcasting(ELEMENT_FUNCTIONS.LessOrEqual, 'bool'),
  Log: same,
  Max: broadcasting(ELEMENT_FUNCTIONS.Max),
  Mean: broadcasting(),
  Min: broadcasting(ELEMENT_FUNCTIONS.Min),
  Mish: same,
  Mod: (context) => broadcasting(moduloFunction(intOf(context.node, 'fmod', 0) !== 0))(context),
  Mul: broadcasting(ELEMENT_FUNCTIONS.Mul),
  Neg: sameWithElements((element) => subtractDimensions(0, element)),
  Not: not,
  Or: broadcasting(ELEMENT_FUNCTIONS.Or, 'bool'),
  PRelu: same,
  Pow: pow,
  Reciprocal: same,
  Relu: sameWithElements((element) => maximumOfDimensions(element, 0)),
  Round: same,
  Selu: same,
  Sigmoid: same,
  Sign: sameWithElements((element) => (typeof element === 'number' ? Math.sign(element) : null)),
  Sin: same,
  Sinh: same,
  Softplus: same,
  Softsign: same,
  Sqrt: same,
  Sub: broadcasting(ELEMENT_FUNCTIONS.Sub),
  Sum: broadcasting(),
  Tan: same,
  Tanh: same,
  ThresholdedRelu: same,
  Trilu: trilu,
  Where: where,
  Xor: broadcasting(ELEMENT_FUNCTIONS.Xor, 'bool'),
} satisfies Record<string, ShapeRule>;
