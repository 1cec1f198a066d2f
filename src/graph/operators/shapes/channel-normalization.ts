import { intOf } from '../../attributes.ts';
import { differentDimensions, formatShape } from '../../dimension.ts';
import type { Dimension } from '../../ir.ts';
import type { ShapeContext, ShapeRule } from '../shape-rule.ts';
import { axisWithin, inferredTensor, shapeError } from './inferred.ts';

/** One parameter a channel, in inputs `first` to `last`. */
function expectParameters(context: ShapeContext, first: number, last: number, count: Dimension): void {
  for (let index = first; index <= last; index++) {
    const shape = context.input(index)?.shape;
    if (shape === undefined || (shape.length === 1 && !differentDimensions(shape[0]!, count))) continue;
    throw shapeError(
      context,
      `input "${context.node.inputs[index]}" needs [${count ?? '?'}], got ${formatShape(shape)}`,
    );
  }
}

/** Values as they came; in training mode also the running mean and variance, which keep their type. */
const batchNormalization: ShapeRule = (context) => {
  const { node, input } = context;
  const type = input(0);
  const channels = type?.shape === undefined ? null : type.shape.length === 1 ? 1 : (type.shape[1] ?? null);
  // Before operator set 9 each place of a channel could have statistics of its own.
  const perPlace = context.opset < 9 && intOf(node, 'spatial', 1) === 0;
  if (!perPlace) expectParameters(context, 1, 4, channels);
  const values = type && inferredTensor(type.dtype, type.shape);
  const running = [3, 4].map((index) => {
    const statistics = input(index);
    return statistics && inferredTensor(statistics.dtype, statistics.shape ?? [channels]);
  });
  return [values, ...running].slice(0, Math.max(1, node.outputs.length));
};

const instanceNormalization: ShapeRule = (context) => {
  const type = context.input(0);
  expectParameters(context, 1, 2, type?.shape?.[1] ?? null);
  return [type && inferredTensor(type.dtype, type.shape)];
};

/** One parameter a group before operator set 21, one a channel since. */
const groupNormalization: ShapeRule = (context) => {
  const type = context.input(0);
  const groups = intOf(context.node, 'num_groups', 0);
  const channels = type?.shape?.[1] ?? null;
  if (groups < 1 || (typeof channels === 'number' && channels % groups !== 0)) {
    throw shapeError(context, `num_groups is ${groups}, which does not divide the ${channels ?? '?'} channels`);
  }
  expectParameters(context, 1, 2, context.opset < 21 ? groups : channels);
  return [type && inferredTensor(type.dtype, type.shape)];
};

const lpNormalization: ShapeRule = (context) => {
  const type = context.input(0);
  if (type?.shape !== undefined) axisWithin(context, intOf(context.node, 'axis', -1), type.shape.length);
  return [type && inferredTensor(type.dtype, type.shape)];
};

const localResponseNormalization: ShapeRule = (context) => {
  const type = context.input(0);
  return [type && inferredTensor(type.dtype, type.shape)];
};

export const CHANNEL_NORMALIZATION = {
  BatchNormalization: batchNormalization,
  GroupNormalization: groupNormalization,
  InstanceNormalization: instanceNormalization,
  LRN: localResponseNormalization,
  LpNormalization: lpNormalization,
} satisfies Record<string, ShapeRule>;
