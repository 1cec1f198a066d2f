import { DATA_TYPES, normalizeAxis } from '../../base/index.ts';
import { intOf, type Shape, type Value } from '../../graph/index.ts';
import { type GradientContext, straightThrough } from '../rule.ts';
import { castLike, dimensionOf, knownSize, scalarLike } from '../shapes.ts';

/**
 * Rounding counts as the identity (straight-through: Bengio, Léonard and Courville 2013), and what the range of the
 * integers cuts off has no gradient. The gradient with respect to the scale is then that of learned step sizes
 * (Esser et al. 2020). Between QuantizeLinear and DequantizeLinear the gradient is that of the integers, in the type of
 * the scale.
 */
export const QUANTIZATION = {
  QuantizeLinear: straightThrough((context) => {
    const { build } = context;
    const x = context.input(0);
    const scale = alongInput(context, context.input(1));
    const [low, high] = integerRange(context);
    const quotient = build.div(x, scale);
    const rounded = build.op('Round', [quotient]);
    const bound = (limit: number): Value => {
      const number = scalarLike(context, limit, x);
      if (!context.hasInput(2)) return number;
      return build.sub(number, alongInput(context, castLike(context, context.input(2), x)));
    };
    const outside = build.op('Or', [build.less(rounded, bound(low)), build.greater(rounded, bound(high))]);
    const slope = build.where(outside, scalarLike(context, 0, x), context.outputGradient(0));
    const inputSlope = build.div(slope, scale);
    return [
      context.needs(0) ? inputSlope : undefined,
      context.needs(1) ? scaleGradient(context, build.neg(build.mul(inputSlope, quotient))) : undefined,
    ];
  }),
  DequantizeLinear: straightThrough((context) => {
    const { build } = context;
    const scale = context.input(1);
    const dy = context.outputGradient(0);
    const steps = (): Value => {
      const x = castLike(context, context.input(0), scale);
      if (!context.hasInput(2)) return x;
      return build.sub(x, alongInput(context, castLike(context, context.input(2), scale)));
    };
    return [
      context.needs(0) ? build.mul(dy, alongInput(context, scale)) : undefined,
      context.needs(1) ? scaleGradient(context, build.mul(dy, steps())) : undefined,
    ];
  }),
  // The range is that of the input: nothing is cut off, and the scale that follows from it counts as constant.
  DynamicQuantizeLinear: straightThrough((context) =>
    context.hasOutputGradient(0) ? [context.build.div(context.outputGradient(0), context.output(1))] : [undefined],
  ),
} as const;

/** A value of the scale's shape in one that broadcasts to the input. */
function alongInput(context: GradientContext, value: Value): Value {
  const { build, node } = context;
  const scale = context.shapeOf(context.input(1));
  if (isSingle(scale)) return value;
  const shape = context.shapeOf(context.input(0));
  const axis = normalizeAxis(intOf(node, 'axis', 1), shape.length);
  const block = intOf(node, 'block_size', 0);
  if (block === 0) {
    const after = shape.length - 1 - axis;
    return after === 0
      ? value
      : build.unsqueeze(
          value,
          Array.from({ length: after }, (_, index) => index + 1),
        );
  }
  const places = build.op('Range', [
    build.scalar(0, 'int64'),
    build.squeeze(dimensionOf(context, context.input(0), axis), [0]),
    build.scalar(1, 'int64'),
  ]);
  return build.gather(value, build.div(places, build.scalar(block, 'int64')), axis);
}

/** Sums what each scale was used for. */
function scaleGradient(context: GradientContext, gradient: Value): Value {
  const { build, node } = context;
  const scale = context.input(1);
  const scaleShape = context.shapeOf(scale);
  const shape = context.shapeOf(context.input(0));
  if (intOf(node, 'block_size', 0) !== 0 && !isSingle(scaleShape)) {
    throw context.unsupported('the gradient of the scales of blocks is not built', 'Keep these scales constant.');
  }
  const axis = isSingle(scaleShape) ? undefined : normalizeAxis(intOf(node, 'axis', 1), shape.length);
  const summed = shape.map((_, other) => other).filter((other) => other !== axis);
  const total = summed.length === 0 ? gradient : build.reduceSum(gradient, summed, false);
  const shaped =
    axis === undefined && scaleShape.length === 1 && shape.length > 0 ? build.unsqueeze(total, [0]) : total;
  return shaped;
}

function isSingle(scale: Shape): boolean {
  return scale.length === 0 || (scale.length === 1 && knownSize(scale) === 1);
}

function integerRange(context: GradientContext): readonly [low: number, high: number] {
  const dtype = context.typeOf(context.output(0))?.dtype ?? 'uint8';
  const { kind, bits } = DATA_TYPES[dtype];
  if (kind !== 'int' && kind !== 'uint') throw context.unsupported(`it quantizes to ${dtype}, expected integers`);
  const low = kind === 'int' ? -(2 ** (bits - 1)) : 0;
  return [low, low + 2 ** bits - 1];
}
