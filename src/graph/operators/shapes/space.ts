import { intOf } from '../../attributes.ts';
import { divideDimensions, formatShape, multiplyDimensions } from '../../dimension.ts';
import type { Dimension } from '../../ir.ts';
import type { ShapeContext, ShapeRule } from '../shape-rule.ts';
import { inferredTensor, shapeError } from './inferred.ts';

/** [N, C, H, W] to [N, C/b², H b, W b], or back. */
function rearranged(
  change: (context: ShapeContext, channels: Dimension, side: Dimension, block: number) => Dimension[],
): ShapeRule {
  return (context) => {
    const type = context.input(0);
    if (type?.shape === undefined) return [type && inferredTensor(type.dtype, undefined)];
    const { shape } = type;
    if (shape.length !== 4) throw shapeError(context, `input needs 4 dimensions, got ${formatShape(shape)}`);
    const block = intOf(context.node, 'blocksize', 0);
    if (block < 1) throw shapeError(context, `blocksize is ${block}, expected 1 or more`);
    const [batch, channels, height, width] = shape as readonly [Dimension, Dimension, Dimension, Dimension];
    const [newChannels, newHeight] = change(context, channels, height, block) as [Dimension, Dimension];
    const [, newWidth] = change(context, channels, width, block) as [Dimension, Dimension];
    return [inferredTensor(type.dtype, [batch, newChannels, newHeight, newWidth])];
  };
}

function parts(context: ShapeContext, dim: Dimension, count: number, what: string): Dimension {
  if (typeof dim === 'number' && dim % count !== 0) {
    throw shapeError(
      context,
      `${what} ${dim} is no multiple of ${count}: input ${formatShape(context.input(0)?.shape)}`,
    );
  }
  return divideDimensions(dim, count);
}

export const SPACE = {
  DepthToSpace: rearranged((context, channels, side, block) => [
    parts(context, channels, block * block, 'the number of channels'),
    multiplyDimensions(side, block),
  ]),
  SpaceToDepth: rearranged((context, channels, side, block) => [
    multiplyDimensions(channels, block * block),
    parts(context, side, block, 'the dimension'),
  ]),
} satisfies Record<string, ShapeRule>;
