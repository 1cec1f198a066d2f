import { intOf } from '../../attributes.ts';
import { differentDimensions, formatShape } from '../../dimension.ts';
import type { ShapeContext, ShapeRule } from '../shape-rule.ts';
import { expectRank, inferredTensor, shapeError } from './inferred.ts';

/** x [N, C, …], grid [N, …, r] with a place of r coordinates for each element that comes out: [N, C, …]. */
const gridSample: ShapeRule = (context) => {
  const [type, grid] = [context.input(0), context.input(1)];
  const [x, places] = [type?.shape, grid?.shape];
  if (type === undefined) return [undefined];
  if (x === undefined || places === undefined) {
    const rank = x?.length ?? places?.length;
    return [inferredTensor(type.dtype, rank === undefined ? undefined : new Array<null>(rank).fill(null))];
  }
  const coordinates = places.at(-1);
  const fits =
    x.length === places.length &&
    x.length >= 3 &&
    !differentDimensions(x[0]!, places[0]!) &&
    !differentDimensions(coordinates!, x.length - 2);
  if (!fits) {
    throw shapeError(
      context,
      `a grid for ${formatShape(x)} is [${x[0] ?? '?'}, …, ${x.length - 2}] with ${x.length} dimensions, got ${formatShape(places)}`,
    );
  }
  return [inferredTensor(type.dtype, [x[0] ?? places[0]!, x[1]!, ...places.slice(1, -1)])];
};

/** x [N, C, H, W], regions [R, 4], the image of each [R]: [R, C, height, width]. */
const roiAlign: ShapeRule = (context) => {
  const { node, input } = context;
  const type = input(0);
  if (type === undefined) return [undefined];
  expectRank(context, type, 4, 0);
  expectRank(context, input(1), 2, 1);
  expectRank(context, input(2), 1, 2);
  const regions = input(1)?.shape?.[0] ?? input(2)?.shape?.[0] ?? null;
  expectFour(context);
  const size = [intOf(node, 'output_height', 1), intOf(node, 'output_width', 1)];
  return [inferredTensor(type.dtype, [regions, type.shape?.[1] ?? null, ...size])];
};

function expectFour(context: ShapeContext): void {
  const shape = context.input(1)?.shape;
  if (shape === undefined || !differentDimensions(shape[1]!, 4)) return;
  throw shapeError(context, `regions need 4 coordinates each, got ${formatShape(shape)}`);
}

export const SAMPLING = { GridSample: gridSample, RoiAlign: roiAlign } satisfies Record<string, ShapeRule>;
