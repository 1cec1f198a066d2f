import type { DataType } from '../../../base/dtype.ts';
import { sizeOf, stridesOf } from '../../../base/shape.ts';
import { intOf, intsOf } from '../../attributes.ts';
import type { Dimension, Node, Shape } from '../../ir.ts';
import type { ShapeContext, ShapeRule } from '../shape-rule.ts';
import { ELEMENT_FUNCTIONS, type ElementFunction } from './element-arithmetic.ts';
import { axesWithin, axisWithin, elementTensorOf, hasInput, inferredTensor, numbersOfInput } from './inferred.ts';

interface Fold {
  readonly combine: ElementFunction;
  /** The result over no elements; null where there is none. */
  readonly empty: Dimension;
}

/** Axes are an attribute, or from operator set 13 (ReduceSum) and 18 (others) an input. */
function reduction(fold?: Fold): ShapeRule {
  return (context) => {
    const { node, input } = context;
    const type = input(0);
    if (type === undefined) return [undefined];
    const keepDims = intOf(node, 'keepdims', 1) !== 0;
    const { shape, dtype } = type;
    if (shape === undefined) return [inferredTensor(dtype, reducesAll(node) && !keepDims ? [] : undefined)];
    const given = intsOf(node, 'axes') ?? (hasInput(node, 1) ? (numbersOfInput(context, 1) ?? 'unknown') : []);
    if (given === 'unknown') return [inferredTensor(dtype, shapeOverUnknownAxes(context, shape, keepDims))];
    if (given.length === 0 && intOf(node, 'noop_with_empty_axes', 0) !== 0) {
      return [inferredTensor(dtype, shape, context.elements(0))];
    }
    const axes = new Set(given.length === 0 ? shape.keys() : axesWithin(context, given, shape.length));
    const reduced = reduceShape(shape, axes, keepDims);
    return [inferredTensor(dtype, reduced, fold && foldElements(context, axes, dtype, fold))];
  };
}

/** Without axes, every axis goes: the result is a scalar whatever the rank. */
function reducesAll(node: Node): boolean {
  const given = (intsOf(node, 'axes') ?? []).length > 0 || hasInput(node, 1);
  return !given && intOf(node, 'noop_with_empty_axes', 0) === 0;
}

function reduceShape(shape: Shape, axes: ReadonlySet<number>, keepDims: boolean): Shape {
  return keepDims ? shape.map((dim, axis) => (axes.has(axis) ? 1 : dim)) : shape.filter((_, axis) => !axes.has(axis));
}

function shapeOverUnknownAxes(context: ShapeContext, shape: Shape, keepDims: boolean): Shape | undefined {
  if (keepDims) return shape.map(() => null);
  const count = context.input(1)?.shape?.[0];
  return typeof count === 'number' && count > 0 && count <= shape.length
    ? new Array<null>(shape.length - count).fill(null)
    : undefined;
}

function foldElements(
  context: ShapeContext,
  axes: ReadonlySet<number>,
  dtype: DataType,
  { combine, empty }: Fold,
): Dimension[] | undefined {
  const source = elementTensorOf(context.inputValue(0));
  if (source === undefined) return undefined;
  const kept = source.dims.map((dim, axis) => (axes.has(axis) ? 1 : dim));
  const out = new Array<Dimension | undefined>(sizeOf(kept)).fill(undefined);
  const outStrides = stridesOf(kept);
  const strides = stridesOf(source.dims);
  for (const [position, element] of source.elements.entries()) {
    let target = 0;
    for (let axis = 0; axis < kept.length; axis++) {
      if (!axes.has(axis)) target += (Math.floor(position / strides[axis]!) % source.dims[axis]!) * outStrides[axis]!;
    }
    const held = out[target];
    out[target] = held === undefined ? element : combine(held, element, dtype);
  }
  return out.map((element) => (element === undefined ? empty : element));
}

const argument: ShapeRule = (context) => {
  const { node, input } = context;
  const shape = input(0)?.shape;
  if (shape === undefined) return [inferredTensor('int64', undefined)];
  const axis = axisWithin(context, intOf(node, 'axis', 0), shape.length);
  return [inferredTensor('int64', reduceShape(shape, new Set([axis]), intOf(node, 'keepdims', 1) !== 0))];
};

/** Softmax and its kin keep the shape; their axis only has to be there. */
const alongAxis: ShapeRule = (context) => {
  const type = context.input(0);
  if (type?.shape !== undefined) {
    const axis = intOf(context.node, 'axis', context.opset < 13 ? 1 : -1);
    // Before operator set 13 the axis split the shape in two parts, and could stand at its end.
    if (context.opset >= 13 || axis !== type.shape.length) axisWithin(context, axis, Math.max(type.shape.length, 1));
  }
  return [type && inferredTensor(type.dtype, type.shape)];
};

/** Outputs: normalized values, and mean and inverse deviation with 1 in place of the normalized axes. */
const layerNormalization: ShapeRule = (context) => {
  const { node, input } = context;
  const type = input(0);
  if (type === undefined) return [undefined, undefined, undefined];
  const statistics = intOf(node, 'stash_type', 1) === 16 ? 'bfloat16' : 'float32';
  const { shape } = type;
  if (shape === undefined) {
    return [
      inferredTensor(type.dtype, undefined),
      inferredTensor(statistics, undefined),
      inferredTensor(statistics, undefined),
    ];
  }
  const first = axisWithin(context, intOf(node, 'axis', -1), shape.length);
  const outer = shape.map((dim, axis) => (axis < first ? dim : 1));
  return [inferredTensor(type.dtype, shape), inferredTensor(statistics, outer), inferredTensor(statistics, outer)];
};

export const REDUCE = {
  ArgMax: argument,
  ArgMin: argument,
  Hardmax: alongAxis,
  LayerNormalization: layerNormalization,
  LogSoftmax: alongAxis,
  ReduceL1: reduction(),
  ReduceL2: reduction(),
  ReduceLogSum: reduction(),
  ReduceLogSumExp: reduction(),
  ReduceMax: reduction({ combine: ELEMENT_FUNCTIONS.Max, empty: null }),
  ReduceMean: reduction(),
  ReduceMin: reduction({ combine: ELEMENT_FUNCTIONS.Min, empty: null }),
  ReduceProd: reduction({ combine: ELEMENT_FUNCTIONS.Mul, empty: 1 }),
  ReduceSum: reduction({ combine: ELEMENT_FUNCTIONS.Add, empty: 0 }),
  ReduceSumSquare: reduction(),
  Softmax: alongAxis,
} satisfies Record<string, ShapeRule>;
