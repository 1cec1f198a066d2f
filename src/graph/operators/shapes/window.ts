import { LatheError } from '../../../base/errors.ts';
import { describeNode, intOf, intsOf } from '../../attributes.ts';
import { differentDimensions, formatShape, multiplyDimensions } from '../../dimension.ts';
import type { Dimension, Node, Shape } from '../../ir.ts';
import type { InferredValue, ShapeContext, ShapeRule } from '../shape-rule.ts';
import { transposedWindow, windowOver } from '../window.ts';
import { inferredTensor, isConcrete, shapeError } from './inferred.ts';

/** Input [batch, channels, ...], weights [outputs, channels/group, kernel...]: [batch, outputs, ...]. */
const conv: ShapeRule = (context) =>
  convolved(context, (batch, channels, sizes, weights, kernel) => {
    const group = intOf(context.node, 'group', 1);
    expectChannels(context, channels, weights && multiplyDimensions(weights[1]!, group));
    const places = kernel && windowOver(context.node, kernel, sizes).places;
    return [batch, weights?.[0] ?? null, ...(places ?? sizes.map(() => null))];
  });

/** Input [batch, channels, ...], weights [channels, outputs/group, kernel...]: [batch, outputs, ...]. */
const convTranspose: ShapeRule = (context) =>
  convolved(context, (batch, channels, sizes, weights, kernel) => {
    const group = intOf(context.node, 'group', 1);
    expectChannels(context, channels, weights?.[0]);
    const outputs = kernel && transposedWindow(context.node, kernel, sizes).outputs;
    const produced = weights === undefined ? null : multiplyDimensions(weights[1]!, group);
    return [batch, produced, ...(outputs ?? sizes.map(() => null))];
  });

function convolved(
  context: ShapeContext,
  place: (
    batch: Dimension,
    channels: Dimension,
    sizes: Shape,
    weights: Shape | undefined,
    kernel: readonly number[] | undefined,
  ) => Shape,
): readonly (InferredValue | undefined)[] {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  if (type.shape === undefined) return [inferredTensor(type.dtype, undefined)];
  const [batch, channels, ...sizes] = spatial(context, type.shape);
  const weights = context.input(1)?.shape;
  if (weights !== undefined && weights.length !== type.shape.length) {
    throw shapeError(
      context,
      `input "${context.node.inputs[1]}" needs ${type.shape.length} dimensions, got ${formatShape(weights)}`,
    );
  }
  const taps = weights?.slice(2);
  const kernel = intsOf(context.node, 'kernel_shape') ?? (isConcrete(taps) ? taps : undefined);
  if (kernel !== undefined && taps?.some((dim, axis) => differentDimensions(dim, kernel[axis] ?? null))) {
    throw shapeError(context, `kernel_shape is ${formatShape(kernel)}, the weights are ${formatShape(weights)}`);
  }
  return [
    inferredTensor(
      type.dtype,
      naming(context.node, () => place(batch!, channels!, sizes, weights, kernel)),
    ),
  ];
}

function expectChannels(context: ShapeContext, channels: Dimension, expected: Dimension | undefined): void {
  if (expected === undefined || !differentDimensions(channels, expected)) return;
  throw shapeError(
    context,
    `input "${context.node.inputs[0]}" has ${channels} channels, the weights ${formatShape(context.input(1)?.shape)} are for ${expected}`,
  );
}

/** One value a window; MaxPool also gives the positions it took them from. */
const pool: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined, undefined];
  if (type.shape === undefined) return [inferredTensor(type.dtype, undefined), inferredTensor('int64', undefined)];
  const [batch, channels, ...sizes] = spatial(context, type.shape);
  const { node } = context;
  const kernel = intsOf(node, 'kernel_shape');
  if (kernel === undefined) {
    throw new LatheError('invalid-model', `${describeNode(node)}: attribute "kernel_shape" is required but left out`);
  }
  const shape = [batch!, channels!, ...naming(node, () => windowOver(node, kernel, sizes).places)];
  return [inferredTensor(type.dtype, shape), inferredTensor('int64', shape)].slice(0, node.outputs.length);
};

const globalPool: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  if (type.shape === undefined) return [inferredTensor(type.dtype, undefined)];
  const [batch, channels, ...sizes] = spatial(context, type.shape);
  return [inferredTensor(type.dtype, [batch!, channels!, ...sizes.map(() => 1)])];
};

function spatial(context: ShapeContext, shape: Shape): Shape {
  if (shape.length >= 2) return shape;
  throw shapeError(
    context,
    `input "${context.node.inputs[0]}" needs [batch, channels, ...], got ${formatShape(shape)}`,
  );
}

function naming<T>(node: Node, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof LatheError)) throw error;
    throw new LatheError(error.code, `${describeNode(node)}: ${error.message}`, { cause: error });
  }
}

export const WINDOW = {
  AveragePool: pool,
  Conv: conv,
  ConvTranspose: convTranspose,
  GlobalAveragePool: globalPool,
  GlobalLpPool: globalPool,
  GlobalMaxPool: globalPool,
  LpPool: pool,
  MaxPool: pool,
} satisfies Record<string, ShapeRule>;
