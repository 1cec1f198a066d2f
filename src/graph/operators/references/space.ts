import { LatheError } from '../../../base/errors.ts';
import { formatDims, stridesOf } from '../../../base/shape.ts';
import type { Tensor } from '../../../base/tensor.ts';
import { intOf, stringOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required } from './inputs.ts';
import { strided } from './positions.ts';
import { take } from './take.ts';

/** Between channels and blocks of pixels: the tensor seen with six axes, and these in another order. */
export const SPACE = {
  DepthToSpace: (context) => {
    const { x, block } = imagesOf(context);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const channels = c / (block * block);
    const mode = stringOf(context.node, 'mode', 'DCR');
    if (mode !== 'DCR' && mode !== 'CRD')
      throw new LatheError('invalid-model', `attribute "mode": expected "DCR" or "CRD", got "${mode}"`);
    const [split, order] =
      mode === 'DCR'
        ? [
            [n, block, block, channels, h, w],
            [0, 3, 4, 1, 5, 2],
          ]
        : [
            [n, channels, block, block, h, w],
            [0, 1, 4, 2, 5, 3],
          ];
    return [reordered(x, split, order, [n, channels, h * block, w * block])];
  },
  SpaceToDepth: (context) => {
    const { x, block } = imagesOf(context);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const split = [n, c, h / block, block, w / block, block];
    return [reordered(x, split, [0, 3, 5, 1, 2, 4], [n, c * block * block, h / block, w / block])];
  },
} satisfies Record<string, Reference>;

function imagesOf(context: ReferenceContext): { readonly x: Tensor; readonly block: number } {
  const x = required(context, 0);
  const block = intOf(context.node, 'blocksize', 0);
  if (x.dims.length !== 4) throw new LatheError('shape', `input needs 4 dimensions, got ${formatDims(x.dims)}`);
  return { x, block };
}

function reordered(x: Tensor, split: readonly number[], order: readonly number[], dims: readonly number[]): Tensor {
  if (!split.every(Number.isInteger))
    throw new LatheError('shape', `input ${formatDims(x.dims)} has no whole number of blocks`);
  const strides = stridesOf(split);
  const positions = strided(
    order.map((axis) => split[axis]!),
    order.map((axis) => strides[axis]!),
  );
  return take(x, positions, dims);
}
