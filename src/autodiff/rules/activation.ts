import { float, floatOf, stringOf, type Value } from '../../graph/index.ts';
import { sumToInput } from '../broadcast.ts';
import { type GradientContext, rule } from '../rule.ts';
import { scalarLike, scalarOver } from '../shapes.ts';
import { elementwise } from './arithmetic.ts';

/** Activation functions and the special functions that they are made of. `y` stands for the node's output. */
export const ACTIVATION = {
  // 1 where y > 0
  Relu: elementwise((context, dy, x) => context.build.mul(dy, oneAboveZero(context, context.output(0), x))),
  LeakyRelu: elementwise((context, dy, x) => {
    const { build, node } = context;
    const slope = scalarOver(context, floatOf(node, 'alpha', 0.01), x);
    return build.where(build.greater(x, scalarOver(context, 0, x)), dy, build.mul(dy, slope));
  }),
  PRelu: rule((context) => {
    const { build } = context;
    const [x, slope, dy] = [context.input(0), context.input(1), context.outputGradient(0)];
    const zero = scalarOver(context, 0, x);
    const positive = build.greater(x, zero);
    return [
      context.needs(0) ? build.where(positive, dy, build.mul(dy, slope)) : undefined,
      context.needs(1) ? sumToInput(context, build.where(positive, zero, build.mul(dy, x)), x, slope) : undefined,
    ];
  }),
  ThresholdedRelu: elementwise((context, dy, x) => {
    const { build, node } = context;
    const above = build.greater(x, scalarOver(context, floatOf(node, 'alpha', 1), x));
    return build.where(above, dy, scalarOver(context, 0, x));
  }),
  // e^(x/alpha) = y/alpha + 1 for x <= 0
  Celu: elementwise((context, dy, x) => {
    const { build, node } = context;
    const one = scalarOver(context, 1, x);
    const slope = build.add(build.div(context.output(0), scalarOver(context, floatOf(node, 'alpha', 1), x)), one);
    return build.mul(dy, build.where(build.greater(x, scalarOver(context, 0, x)), one, slope));
  }),
  // y = x t with t = tanh(softplus(x)): t + x (1 - t²) sigmoid(x)
  Mish: elementwise((context, dy, x) => {
    const { build } = context;
    const t = build.op('Tanh', [build.op('Softplus', [x])]);
    const rest = build.sub(scalarOver(context, 1, x), build.mul(t, t));
    return build.mul(dy, build.add(t, build.mul(build.mul(x, rest), build.op('Sigmoid', [x]))));
  }),
  // alpha eˣ = y + alpha for x <= 0
  Elu: elementwise((context, dy, x) => exponentialBelowZero(context, dy, x, floatOf(context.node, 'alpha', 1), 1)),
  Selu: elementwise((context, dy, x) => {
    const alpha = floatOf(context.node, 'alpha', 1.6732631921768188);
    const gamma = floatOf(context.node, 'gamma', 1.0507010221481323);
    return exponentialBelowZero(context, dy, x, gamma * alpha, gamma);
  }),
  // 1 - y²
  Tanh: elementwise((context, dy, x) => {
    const { build } = context;
    const y = context.output(0);
    return build.mul(dy, build.sub(scalarOver(context, 1, x), build.mul(y, y)));
  }),
  // y (1 - y)
  Sigmoid: elementwise((context, dy, x) => {
    const { build } = context;
    const y = context.output(0);
    return build.mul(build.mul(dy, y), build.sub(scalarOver(context, 1, x), y));
  }),
  // sigmoid(x)
  Softplus: elementwise(({ build }, dy, x) => build.mul(dy, build.op('Sigmoid', [x]))),
  // 1 / (1 + |x|)²
  Softsign: elementwise((context, dy, x) => {
    const { build } = context;
    const denominator = build.add(scalarOver(context, 1, x), build.op('Abs', [x]));
    return build.div(dy, build.mul(denominator, denominator));
  }),
  // alpha where 0 < y < 1
  HardSigmoid: elementwise((context, dy, x) => {
    const { build, node } = context;
    const slope = scalarOver(context, floatOf(node, 'alpha', 0.2), x);
    return build.mul(dy, build.mul(insideOfOne(context, context.output(0), x), slope));
  }),
  // x h(x) with h = clip(x/6 + 1/2, 0, 1): h + x/6 where h is not clipped, and there x/6 = h - 1/2
  HardSwish: elementwise((context, dy, x) => {
    const { build } = context;
    const half = scalarOver(context, 0.5, x);
    const h = context.dataTypeOf(x) === 'float32' ? hardSigmoidOfSixth(context, x) : clippedSixth(context, x);
    return build.mul(dy, build.add(h, build.mul(build.sub(h, half), insideOfOne(context, h, x))));
  }),
  // 2/√π exp(-x²), with the factor inside the exponent: one pass over memory less
  Erf: elementwise(({ build, ...context }, dy, x) => {
    const factor = scalarOver({ build, ...context }, Math.log(2 / Math.sqrt(Math.PI)), x);
    return build.mul(dy, build.exp(build.sub(factor, build.mul(x, x))));
  }),
  Gelu: elementwise((context, dy, x) =>
    stringOf(context.node, 'approximate', 'none') === 'tanh' ? geluTanh(context, dy, x) : gelu(context, dy, x),
  ),
} as const;

/** dy (Φ(x) + x φ(x)), where Φ(x) = (1 + erf(x/√2))/2 and φ is its derivative: nine passes over memory. */
function gelu(context: GradientContext, dy: Value, x: Value): Value {
  const { build } = context;
  // The constant comes first so that ONNX Runtime does not take this for the forward product, which it fuses.
  const scaled = build.mul(scalarOver(context, Math.SQRT1_2, x), x);
  const logFactor = scalarOver(context, -0.5 * Math.log(2 * Math.PI), x);
  const density = build.exp(build.sub(logFactor, build.mul(scaled, scaled)));
  return build.mul(dy, build.add(halfOfOnePlus(context, build.op('Erf', [scaled]), x), build.mul(x, density)));
}

/** (1 + value)/2 for values in [-1, 1]: in float32 one HardSigmoid, which clips nothing here. */
function halfOfOnePlus(context: GradientContext, value: Value, x: Value): Value {
  const { build } = context;
  if (context.dataTypeOf(x) === 'float32') {
    return build.op('HardSigmoid', [value], { alpha: float(0.5), beta: float(0.5) });
  }
  const half = scalarOver(context, 0.5, x);
  return build.add(build.mul(value, half), half);
}

// y = x h with h = (1 + tanh u)/2, u = c (x + 0.044715 x³): h + x u' (1 - tanh² u)/2
function geluTanh(context: GradientContext, dy: Value, x: Value): Value {
  const { build } = context;
  const c = Math.sqrt(2 / Math.PI);
  const constant = (value: number): Value => scalarOver(context, value, x);
  const square = build.mul(x, x);
  const u = build.mul(x, build.add(build.mul(square, constant(c * 0.044715)), constant(c)));
  const slope = build.add(build.mul(square, constant(3 * c * 0.044715)), constant(c));
  const tanh = build.op('Tanh', [u]);
  const half = constant(0.5);
  const h = halfOfOnePlus(context, tanh, x);
  const inner = build.mul(build.mul(x, slope), build.sub(half, build.mul(build.mul(tanh, tanh), half)));
  return build.mul(dy, build.add(h, inner));
}

function exponentialBelowZero(context: GradientContext, dy: Value, x: Value, below: number, above: number): Value {
  const { build } = context;
  const slope = build.add(context.output(0), scalarOver(context, below, x));
  const positive = build.greater(x, scalarOver(context, 0, x));
  return build.mul(dy, build.where(positive, scalarOver(context, above, x), slope));
}

/**
 * 1 where a value that is nowhere negative is positive, else 0. In float32, 2^127 times the value clipped to [0, 1] gives that
 * (but for denormal values), in half the time of Sign or Where.
 */
function oneAboveZero({ build, dataTypeOf }: GradientContext, value: Value, x: Value): Value {
  return dataTypeOf(x) === 'float32'
    ? build.op('HardSigmoid', [value], { alpha: float(2 ** 127), beta: float(0) })
    : build.op('Sign', [value]);
}

/** 1 where a value of [0, 1] is neither 0 nor 1, else 0. */
function insideOfOne(context: GradientContext, value: Value, x: Value): Value {
  const { build } = context;
  return oneAboveZero(context, build.sub(value, build.mul(value, value)), x);
}

/** As ONNX Runtime writes the forward HardSwish, which has this value already. */
function hardSigmoidOfSixth({ build }: GradientContext, x: Value): Value {
  return build.op('HardSigmoid', [x], { alpha: float(1 / 6), beta: float(0.5) });
}

function clippedSixth(context: GradientContext, x: Value): Value {
  const { build } = context;
  const [sixth, half] = [1 / 6, 0.5].map((value) => scalarOver(context, value, x));
  return build.op('Clip', [
    build.add(build.mul(x, sixth!), half!),
    scalarLike(context, 0, x),
    scalarLike(context, 1, x),
  ]);
}
