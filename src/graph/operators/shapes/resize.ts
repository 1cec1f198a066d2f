import { floatsOf, intsOf, stringOf } from '../../attributes.ts';
import { divideDimensions, formatShape, multiplyDimensions } from '../../dimension.ts';
import type { Dimension, Shape } from '../../ir.ts';
import type { ShapeContext, ShapeRule } from '../shape-rule.ts';
import { axesWithin, hasInput, inferredTensor, isConcrete, shapeError } from './inferred.ts';

/** Scales are an attribute (Upsample 7), input 1 (Upsample 9, Resize 10) or input 2, beside sizes, since operator set 11. */
const resize: ShapeRule = (context) => {
  const { node, input, opset } = context;
  const type = input(0);
  if (type?.shape === undefined) return [type && inferredTensor(type.dtype, undefined)];
  const { shape } = type;
  const recent = opset >= 11;
  const axes = axesWithin(context, intsOf(node, 'axes') ?? [...shape.keys()], shape.length);
  const unknown = shape.map((dim, axis) => (axes.includes(axis) ? null : dim));
  if (recent && hasInput(node, 3)) {
    return [inferredTensor(type.dtype, ofSizes(context, shape, axes, context.elements(3)) ?? unknown)];
  }
  const scales = floatsOf(node, 'scales') ?? context.elements(recent ? 2 : 1);
  if (scales === undefined || !isConcrete(scales)) return [inferredTensor(type.dtype, unknown)];
  expectCount(context, scales, axes, shape);
  return [
    inferredTensor(
      type.dtype,
      shape.map((dim, axis) => (axes.includes(axis) ? scaled(dim, scales[axes.indexOf(axis)]!) : dim)),
    ),
  ];
};

function expectCount(context: ShapeContext, given: readonly unknown[], axes: readonly number[], shape: Shape): void {
  if (given.length === axes.length) return;
  throw shapeError(context, `${given.length} scales or sizes for ${axes.length} axes of ${formatShape(shape)}`);
}

function ofSizes(
  context: ShapeContext,
  shape: Shape,
  axes: readonly number[],
  sizes: readonly Dimension[] | undefined,
): Shape | undefined {
  if (sizes === undefined) return undefined;
  expectCount(context, sizes, axes, shape);
  const policy = stringOf(context.node, 'keep_aspect_ratio_policy', 'stretch');
  const at = (axis: number): number => axes.indexOf(axis);
  if (policy === 'stretch') return shape.map((dim, axis) => (at(axis) < 0 ? dim : sizes[at(axis)]!));
  const dims = axes.map((axis) => shape[axis]!);
  if (!isConcrete(dims) || !isConcrete(sizes)) return undefined;
  const ratios = sizes.map((size, index) => size / dims[index]!);
  const ratio = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  return shape.map((dim, axis) => (at(axis) < 0 ? dim : Math.floor(ratio * (dim as number) + 0.5)));
}

/** ⌊dim scale⌋, multiplied in float32 as ONNX Runtime does. */
function scaled(dim: Dimension, scale: number): Dimension {
  if (typeof dim === 'number') return Math.floor(Math.fround(dim * scale));
  if (Number.isInteger(scale)) return multiplyDimensions(dim, scale);
  return Number.isInteger(1 / scale) ? divideDimensions(dim, 1 / scale) : null;
}

export const RESIZE = { Resize: resize, Upsample: resize } satisfies Record<string, ShapeRule>;
