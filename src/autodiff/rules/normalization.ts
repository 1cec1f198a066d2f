import { DATA_TYPES, normalizeAxis, numbersOf } from '../../base/index.ts';
import { floatOf, intOf, type Value } from '../../graph/index.ts';
import { sumTo } from '../broadcast.ts';
import { type GradientContext, rule } from '../rule.ts';
import { castLike, sameShape, scalarLike, scalarOf } from '../shapes.ts';

export const NORMALIZATION = {
  // y (dy - Σ dy y)
  Softmax: rule((context) => {
    const { build, node } = context;
    const [y, dy] = [context.output(0), context.outputGradient(0)];
    const total = build.reduceSum(build.mul(dy, y), [intOf(node, 'axis', -1)]);
    return [build.mul(y, build.sub(dy, total))];
  }),
  // dy - softmax Σ dy, where softmax = e^y
  LogSoftmax: rule((context) => {
    const { build, node } = context;
    const [y, dy] = [context.output(0), context.outputGradient(0)];
    const total = build.reduceSum(dy, [intOf(node, 'axis', -1)]);
    return [build.sub(dy, build.mul(build.exp(y), total))];
  }),
  LayerNormalization: rule(layerNormalization, 17),
  Dropout: rule((context) => {
    const { build } = context;
    const x = context.input(0);
    const dy = context.outputGradient(0);
    const training = context.hasInput(2) ? context.constant(2) : undefined;
    if (!context.hasInput(2) || training?.data[0] === 0) return [dy];
    const kept = castLike(context, context.output(1), x);
    return [build.mul(dy, build.mul(kept, dropoutScale(context, training !== undefined)))];
  }),
} as const;

/** 1 / (1 - ratio) in training, 1 otherwise. */
function dropoutScale(context: GradientContext, alwaysTraining: boolean): Value {
  const { build } = context;
  const x = context.input(0);
  const one = scalarLike(context, 1, x);
  const constant = context.hasInput(1) ? context.constant(1) : undefined;
  const ratio = (): Value => {
    if (constant !== undefined && constant.dtype !== 'float16') return scalarLike(context, numbersOf(constant)[0]!, x);
    if (!context.hasInput(1)) return scalarLike(context, 0.5, x);
    return castLike(context, context.input(1), x);
  };
  const scale = build.div(one, build.sub(one, ratio()));
  return alwaysTraining ? scale : build.where(context.input(2), scale, one);
}

/**
 * With x̂ = (x - mean) s, where s is the inverse standard deviation, and g = dy scale:
 * dx = s (g - mean(g) - x̂ mean(g x̂)), dscale = Σ dy x̂, dbias = Σ dy.
 */
function layerNormalization(context: GradientContext): readonly (Value | undefined)[] {
  const { build, node } = context;
  const x = context.input(0);
  const scale = context.input(1);
  const shape = context.shapeOf(x);
  const first = normalizeAxis(intOf(node, 'axis', -1), shape.length);
  const axes = shape.map((_, axis) => axis).slice(first);
  const dtype = context.dataTypeOf(x);
  // 16-bit floats are differentiated in float32, as the operator itself computes.
  const narrow = dtype === 'float16' || dtype === 'bfloat16';
  const wide = (value: Value): Value => (narrow ? build.cast(value, DATA_TYPES.float32.code) : value);
  const back = (value: Value): Value => (narrow ? build.cast(value, DATA_TYPES[dtype].code) : value);
  const dy = wide(context.outputGradient(0));
  const { centered, inverse } = statistics(context, wide(x), axes, dtype === 'float64');
  const normalized = build.mul(centered, inverse);
  const weighted = build.mul(dy, normalized);
  const parameter = (gradient: Value, index: number): Value => {
    const value = context.input(index);
    return back(sumTo(context, gradient, { value: x, shape }, { value, shape: context.shapeOf(value) }));
  };
  const dx = (): Value => {
    const { mean, projection } = scaledMeans(context, dy, weighted, wide(scale), axes);
    const tangent = build.sub(build.sub(build.mul(dy, wide(scale)), mean), build.mul(normalized, projection));
    return back(build.mul(tangent, inverse));
  };
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? parameter(weighted, 1) : undefined,
    context.needs(2) ? parameter(dy, 2) : undefined,
  ];
}

/** mean(g) and mean(g x̂) over the normalized axes, where g = dy scale. */
function scaledMeans(
  context: GradientContext,
  dy: Value,
  weighted: Value,
  scale: Value,
  axes: readonly number[],
): { readonly mean: Value; readonly projection: Value } {
  const { build } = context;
  const size = axes.length === 1 ? context.shapeOf(context.input(0)).at(-1) : undefined;
  if (typeof size === 'number' && size > 0 && sameShape([size], context.shapeOf(context.input(1)))) {
    // Products with the column scale/N: they spare two passes that would write g and g x̂.
    const dtype = context.dataTypeOf(context.input(0)) === 'float64' ? 'float64' : 'float32';
    const column = build.unsqueeze(build.mul(scale, scalarOf(context, 1 / size, dtype)), [1]);
    return { mean: build.matMul(dy, column), projection: build.matMul(weighted, column) };
  }
  return {
    mean: build.reduceMean(build.mul(dy, scale), axes),
    projection: build.reduceMean(build.mul(weighted, scale), axes),
  };
}

/** x - mean, and the inverse standard deviation: the operator's own where they have the precision of x. */
function statistics(
  context: GradientContext,
  x: Value,
  axes: readonly number[],
  recompute: boolean,
): { readonly centered: Value; readonly inverse: Value } {
  const { build, node } = context;
  if (!recompute) return { centered: build.sub(x, context.output(1)), inverse: context.output(2) };
  // The optional outputs of a float64 node are float32: not good enough for its gradient.
  const centered = build.sub(x, build.reduceMean(x, axes));
  const variance = build.reduceMean(build.mul(centered, centered), axes);
  const epsilon = scalarOf(context, Math.fround(floatOf(node, 'epsilon', 1e-5)), 'float64');
  return { centered, inverse: build.op('Reciprocal', [build.sqrt(build.add(variance, epsilon))]) };
}
