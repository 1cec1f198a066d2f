import { tensorFrom } from '../../base/index.ts';
import { floatOf, intOf, type Value } from '../../graph/index.ts';
import { givesStatistics } from '../batch-statistics.ts';
import { type GradientContext, rule } from '../rule.ts';
import { knownSize, reshapeLike, reshapeTo, scalarLike, shapeValue } from '../shapes.ts';

export const CHANNEL_NORMALIZATION = {
  BatchNormalization: rule(
    (context) =>
      intOf(context.node, 'training_mode', 0) === 0 ? withGivenStatistics(context) : withStatisticsOfBatch(context),
    14,
  ),
  InstanceNormalization: rule((context) => {
    const channels = context.shapeOf(context.input(0))[1];
    if (typeof channels !== 'number') throw context.unsupported('the number of channels is not known');
    return groupNormalization(context, channels, false);
  }),
  GroupNormalization: rule((context) => {
    const { build, node } = context;
    return groupNormalization(context, intOf(node, 'num_groups', 0), build.opset < 21);
  }),
  // With y = x/n: (dy - y Σ dy y)/n for p = 2, (dy - sign(x) Σ dy y)/n for p = 1; zeros where the norm is 0.
  LpNormalization: rule((context) => {
    const { build, node } = context;
    const [x, y, dy] = [context.input(0), context.output(0), context.outputGradient(0)];
    const axis = intOf(node, 'axis', -1);
    const one = intOf(node, 'p', 2) === 1;
    const norm = one
      ? build.reduceSum(build.op('Abs', [x]), [axis])
      : build.sqrt(build.reduceSum(build.mul(x, x), [axis]));
    const along = build.reduceSum(build.mul(dy, y), [axis]);
    const tangent = build.sub(dy, build.mul(one ? build.op('Sign', [x]) : y, along));
    const zero = scalarLike(context, 0, x);
    return [build.where(build.equal(norm, zero), zero, build.div(tangent, norm))];
  }),
  // With u = bias + alpha/size Σ x²: dy u^-beta - 2 alpha beta/size x Σ dy y/u, the sum over those that read x.
  LRN: rule((context) => {
    const { build, node } = context;
    const [x, y, dy] = [context.input(0), context.output(0), context.outputGradient(0)];
    const channels = context.shapeOf(x)[1];
    if (typeof channels !== 'number') throw context.unsupported('the number of channels is not known');
    const size = intOf(node, 'size', 1);
    const [alpha, beta, bias] = [floatOf(node, 'alpha', 1e-4), floatOf(node, 'beta', 0.75), floatOf(node, 'bias', 1)];
    const [before, behind] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
    const neighbours = Array.from({ length: channels * channels }, (_, at) => {
      const distance = (at % channels) - Math.floor(at / channels);
      return distance >= -before && distance <= behind ? 1 : 0;
    });
    const dtype = context.dataTypeOf(x) === 'float64' ? 'float64' : 'float32';
    const band = build.constant(tensorFrom(dtype, neighbours, [channels, channels]), 'neighbours');
    const flat = (value: Value): Value => build.reshape(value, build.int64s([0, channels, -1]));
    const [xs, ys, dys] = [flat(x), flat(y), flat(dy)];
    const scaled = (value: Value, factor: number): Value => build.mul(value, scalarLike(context, factor, x));
    const base = build.add(scaled(build.matMul(band, build.mul(xs, xs)), alpha / size), scalarLike(context, bias, x));
    const direct = build.mul(dys, build.op('Pow', [base, scalarLike(context, -beta, x)]));
    const shared = build.matMul(build.transpose(band, [1, 0]), build.div(build.mul(dys, ys), base));
    const dx = build.sub(direct, scaled(build.mul(xs, shared), (2 * alpha * beta) / size));
    return [reshapeTo(context, dx, shapeValue(context, x))];
  }),
} as const;

interface Channels {
  /** All axes but that of the channels. */
  readonly axes: readonly number[];
  /** A parameter [channels] as it broadcasts to the input. */
  readonly spread: (parameter: Value) => Value;
  readonly sum: (value: Value) => Value;
}

/** Up to how many elements of a channel ONNX Runtime is slow to broadcast one number over them. */
const FEW_ELEMENTS = 16;

function channelsOf(context: GradientContext): Channels {
  const { build } = context;
  const shape = context.shapeOf(context.input(0));
  const rank = shape.length;
  if (rank < 2) throw context.unsupported('its input has no axis of channels');
  const others = Array.from({ length: rank - 2 }, (_, axis) => axis + 1);
  const axes = [0, ...others.map((axis) => axis + 1)];
  const size = knownSize(shape.slice(1)) === undefined ? undefined : knownSize(shape.slice(2));
  const few = others.length > 0 && size !== undefined && size <= FEW_ELEMENTS;
  const alone = (parameter: Value): Value => (others.length === 0 ? parameter : build.unsqueeze(parameter, others));
  return {
    axes,
    spread: (parameter) =>
      few ? build.expand(alone(parameter), build.int64s(shape.slice(1) as readonly number[])) : alone(parameter),
    sum: (value) => build.reduceSum(value, axes, false),
  };
}

/** With s = 1/√(variance + epsilon): dx = dy scale s, and what the statistics themselves contribute. */
function withGivenStatistics(context: GradientContext): readonly (Value | undefined)[] {
  const { build } = context;
  const [x, scale, mean, variance, dy] = [0, 1, 3, 4].map(context.input).concat(context.outputGradient(0)) as [
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  const { spread, sum } = channelsOf(context);
  const inverse = inverseDeviation(context, variance);
  const factor = build.mul(scale, inverse);
  const total = (): Value => sum(dy);
  const projection = (): Value => sum(build.mul(dy, build.sub(x, spread(mean))));
  const varianceGradient = (): Value => {
    const cubed = build.mul(factor, build.mul(inverse, inverse));
    return build.mul(projection(), build.mul(cubed, scalarLike(context, -0.5, x)));
  };
  return [
    context.needs(0) ? build.mul(dy, spread(factor)) : undefined,
    context.needs(1) ? build.mul(projection(), inverse) : undefined,
    context.needs(2) ? total() : undefined,
    context.needs(3) ? build.neg(build.mul(total(), factor)) : undefined,
    context.needs(4) ? varianceGradient() : undefined,
  ];
}

/**
 * With the mean and deviation of the batch and x̂ = (x - mean) s: dx = scale s (dy - mean(dy) - x̂ mean(dy x̂)), written
 * as a dy + b (x - mean) + c with one number a channel, which spares passes over the data. The running statistics take
 * their share from the batch and the rest from what they were.
 */
function withStatisticsOfBatch(context: GradientContext): readonly (Value | undefined)[] {
  const { build, node } = context;
  const [x, scale] = [context.input(0), context.input(1)];
  const { axes, spread, sum } = channelsOf(context);
  const dy = context.outputGradient(0);
  const given = givesStatistics(node) && context.dataTypeOf(context.input(3)) === context.dataTypeOf(x);
  const mean = given ? context.output(1) : build.reduceMean(x, axes, false);
  const centered = build.sub(x, spread(mean));
  const variance = given ? context.output(2) : build.reduceMean(build.mul(centered, centered), axes, false);
  const inverse = inverseDeviation(context, variance);
  const total = sum(dy);
  const projection = sum(build.mul(dy, centered));
  const momentum = floatOf(node, 'momentum', Math.fround(0.9));
  const fromBatch = (index: number, factor: number): Value | undefined =>
    context.hasOutputGradient(index)
      ? build.mul(context.outputGradient(index), scalarLike(context, (1 - momentum) * factor, x))
      : undefined;
  const carried = (index: number): Value | undefined =>
    context.hasOutputGradient(index)
      ? build.mul(context.outputGradient(index), scalarLike(context, momentum, x))
      : undefined;
  const dx = (): Value => {
    const share = reciprocalCount(context, x, mean);
    const factor = build.mul(scale, inverse);
    const squared = build.mul(inverse, inverse);
    let slope = build.neg(build.mul(build.mul(factor, squared), build.mul(projection, share)));
    let offset = build.neg(build.mul(factor, build.mul(total, share)));
    const [ofMean, ofVariance] = [fromBatch(1, 1), fromBatch(2, 2)];
    if (ofMean !== undefined) offset = build.add(offset, build.mul(ofMean, share));
    if (ofVariance !== undefined) slope = build.add(slope, build.mul(ofVariance, share));
    const direct = build.mul(dy, spread(factor));
    return build.add(direct, build.add(build.mul(centered, spread(slope)), spread(offset)));
  };
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? build.mul(projection, inverse) : undefined,
    context.needs(2) ? total : undefined,
    context.needs(3) ? carried(1) : undefined,
    context.needs(4) ? carried(2) : undefined,
  ];
}

function inverseDeviation(context: GradientContext, variance: Value): Value {
  const { build, node } = context;
  const epsilon = scalarLike(context, Math.fround(floatOf(node, 'epsilon', 1e-5)), context.input(0));
  return build.op('Reciprocal', [build.sqrt(build.add(variance, epsilon))]);
}

/** 1 / (number of elements of x that each statistic is of). */
function reciprocalCount(context: GradientContext, x: Value, statistic: Value): Value {
  const { build } = context;
  const shape = context.shapeOf(x);
  const size = knownSize(shape.filter((_, axis) => axis !== 1));
  if (size !== undefined) return scalarLike(context, 1 / size, x);
  const count = (value: Value): Value => build.op('CastLike', [build.op('Size', [value]), x]);
  return build.div(count(statistic), count(x));
}

/** As for LayerNormalization, over each group of channels of each image. */
function groupNormalization(
  context: GradientContext,
  groups: number,
  parametersOfGroups: boolean,
): readonly (Value | undefined)[] {
  const { build } = context;
  const [x, scale, dy] = [context.input(0), context.input(1), context.outputGradient(0)];
  const shape = context.shapeOf(x);
  const grouped = (value: Value): Value => build.reshape(value, build.int64s([0, groups, -1]));
  const whole = (value: Value): Value => reshapeLike(context, value, [shape[0]!, groups, null], { value: x, shape });
  const { spread, sum } = channelsOf(context);
  const values = grouped(x);
  const centered = build.sub(values, build.reduceMean(values, [2]));
  const inverse = inverseDeviation(context, build.reduceMean(build.mul(centered, centered), [2]));
  const normalized = build.mul(centered, inverse); // [batch, groups, elements]
  const ofParameter = (value: Value): Value =>
    parametersOfGroups ? build.reduceSum(value, [0, 2], false) : sum(whole(value));
  const gradients = grouped(dy);
  const dx = (): Value => {
    const scaled = parametersOfGroups
      ? build.mul(gradients, build.unsqueeze(scale, [1]))
      : grouped(build.mul(dy, spread(scale)));
    const projection = build.reduceMean(build.mul(scaled, normalized), [2]);
    const tangent = build.sub(build.sub(scaled, build.reduceMean(scaled, [2])), build.mul(normalized, projection));
    return whole(build.mul(tangent, inverse));
  };
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? ofParameter(build.mul(gradients, normalized)) : undefined,
    context.needs(2) ? (parametersOfGroups ? ofParameter(gradients) : sum(dy)) : undefined,
  ];
}
