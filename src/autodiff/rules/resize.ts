import { normalizeAxis, numbersOf } from '../../base/index.ts';
import { equalDimensions, float, intsOf, stringOf, type Value } from '../../graph/index.ts';
import { type GradientContext, refused, rule } from '../rule.ts';
import { dimensionOf, zerosOf } from '../shapes.ts';

/**
 * Resize is a matrix along each axis: what it makes of the identity matrix, in whichever mode. The gradient is the
 * product with the transposed matrices, so that both agree to the last weight, on whatever runs them.
 */
export const RESIZE = {
  Resize: rule((context) => {
    const { node } = context;
    if (context.needs(1) || context.needs(2)) {
      throw context.unsupported('roi and scales have no gradient', 'Leave them out of what is differentiated.');
    }
    const shape = context.shapeOf(context.input(0));
    const resized = context.shapeOf(context.output(0));
    const axes = (intsOf(node, 'axes') ?? [...shape.keys()]).map((axis) => normalizeAxis(axis, shape.length));
    const crops = stringOf(node, 'coordinate_transformation_mode', '') === 'tf_crop_and_resize';
    const bySize = context.hasInput(3);
    if (bySize && stringOf(node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch') {
      throw context.unsupported('keep_aspect_ratio_policy is not "stretch"', 'Give the sizes that come out instead.');
    }
    const constant = bySize || !context.hasInput(2) ? undefined : context.constant(2);
    const scales = constant && numbersOf(constant);
    let gradient = context.outputGradient(0);
    for (const [place, axis] of axes.entries()) {
      const same = bySize ? equalDimensions(shape[axis]!, resized[axis]!) : scales?.[place] === 1;
      if (same && !crops) continue;
      gradient = times(context, gradient, matrixOf(context, axis, place, axes.length, crops), axis, shape.length);
    }
    return [gradient];
  }),
  Upsample: refused('models of operator sets that have gradients have Resize instead'),
} as const;

/** What the node makes of the identity matrix along one of its axes: [resized, length]. */
function matrixOf(context: GradientContext, axis: number, place: number, count: number, crops: boolean): Value {
  const { build, node } = context;
  const x = context.input(0);
  const length = dimensionOf(context, x, axis);
  const one = build.int64s([1]);
  const square = zerosOf(context, build.concat([length, length], 0), context.dataTypeOf(x));
  const identity = build.reshape(build.op('EyeLike', [square]), build.concat([one, one, length, length], 0));
  const pick = (value: Value, index: number): Value => build.gather(value, build.int64s([index]));
  const [scale, roi] = [
    build.unsqueeze(build.scalar(1, 'float32'), [0]),
    context.hasInput(1) ? context.input(1) : undefined,
  ];
  const bounds = (): Value => {
    const dtype = context.dataTypeOf(roi!);
    const [zero, whole] = [0, 1].map((value) => build.unsqueeze(build.scalar(value, dtype), [0])) as [Value, Value];
    return build.concat([zero, zero, pick(roi!, place), zero, whole, whole, pick(roi!, count + place), whole], 0);
  };
  const bySize = context.hasInput(3);
  const kept = [
    'mode',
    'coordinate_transformation_mode',
    'nearest_mode',
    'cubic_coeff_a',
    'exclude_outside',
    'antialias',
  ];
  const attributes = Object.fromEntries([...node.attributes].filter(([name]) => kept.includes(name)));
  const resized = build.op(
    'Resize',
    [
      identity,
      crops && roi !== undefined ? bounds() : undefined,
      bySize ? undefined : build.concat([scale, scale, pick(context.input(2), place), scale], 0),
      bySize ? build.concat([one, one, dimensionOf(context, context.output(0), axis), length], 0) : undefined,
    ],
    { ...attributes, ...(crops && { extrapolation_value: float(0) }) },
  );
  return build.squeeze(resized, [0, 1]);
}

/** The product with the transposed matrix [resized, length] along an axis. */
function times({ build }: GradientContext, value: Value, matrix: Value, axis: number, rank: number): Value {
  if (axis === rank - 1) return build.matMul(value, matrix);
  if (axis === rank - 2) return build.matMul(build.transpose(matrix, [1, 0]), value);
  const order = Array.from({ length: rank }, (_, other) => other);
  const swapped = order.with(axis, rank - 1).with(rank - 1, axis);
  return build.transpose(build.matMul(build.transpose(value, swapped), matrix), swapped);
}
