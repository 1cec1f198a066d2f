import type { Value } from '../../graph/index.ts';
import { broadcasting, sumToInput } from '../broadcast.ts';
import { type GradientContext, noGradient, rule } from '../rule.ts';
import { castLike, scalarLike } from '../shapes.ts';

/** A function of one input, element by element: the output's gradient in, the input's gradient out. */
export function elementwise(
  gradient: (context: GradientContext, dy: Value, x: Value) => Value,
): ReturnType<typeof rule> {
  return rule((context) => [gradient(context, context.outputGradient(0), context.input(0))]);
}

const dy = (context: GradientContext): Value => context.outputGradient(0);
const steps = noGradient('it is constant between its steps');

/** Extremes share the gradient evenly among the inputs that reach them, as PyTorch does. */
const extreme = rule((context) => {
  const { build, node } = context;
  const y = context.output(0);
  if (node.inputs.length === 1) return [dy(context)];
  const hits = node.inputs.map((input) => castLike(context, build.equal(input, y), y));
  const share = build.div(dy(context), build.op('Sum', hits));
  return node.inputs.map((input, index) =>
    context.needs(index) ? sumToInput(context, build.mul(share, hits[index]!), y, input) : undefined,
  );
});

export const ARITHMETIC = {
  Add: broadcasting(dy, dy),
  Sub: broadcasting(dy, (context) => context.build.neg(dy(context))),
  Mul: broadcasting(
    (context) => context.build.mul(dy(context), context.input(1)),
    (context) => context.build.mul(dy(context), context.input(0)),
  ),
  // d(a/b)/db = -(a/b)/b
  Div: broadcasting(
    (context) => context.build.div(dy(context), context.input(1)),
    (context) => {
      const { build } = context;
      return build.mul(build.div(dy(context), build.neg(context.input(1))), context.output(0));
    },
  ),
  // Truncated division (fmod): a - b trunc(a/b), where trunc is constant between its steps.
  Mod: broadcasting(dy, (context) => {
    const { build } = context;
    const quotient = build.div(context.input(0), context.input(1));
    const whole = build.mul(build.op('Sign', [quotient]), build.op('Floor', [build.op('Abs', [quotient])]));
    return build.neg(build.mul(dy(context), whole));
  }),
  Pow: broadcasting(powBase, powExponent),
  Neg: elementwise(({ build }, gradient) => build.neg(gradient)),
  Abs: elementwise(({ build }, gradient, x) => build.mul(gradient, build.op('Sign', [x]))),
  Exp: elementwise((context, gradient) => context.build.mul(gradient, context.output(0))),
  Log: elementwise(({ build }, gradient, x) => build.div(gradient, x)),
  // 1 / (2 y)
  Sqrt: elementwise((context, gradient, x) => {
    const { build } = context;
    return build.div(build.mul(gradient, scalarLike(context, 0.5, x)), context.output(0));
  }),
  // -y²
  Reciprocal: elementwise((context, gradient) => {
    const { build } = context;
    const y = context.output(0);
    return build.mul(gradient, build.mul(build.neg(y), y));
  }),
  Sum: rule((context) =>
    context.node.inputs.map((input, index) =>
      context.needs(index) ? sumToInput(context, dy(context), context.output(0), input) : undefined,
    ),
  ),
  Mean: rule((context) => {
    const { build, node } = context;
    const share = build.mul(dy(context), scalarLike(context, 1 / node.inputs.length, context.output(0)));
    return node.inputs.map((input, index) =>
      context.needs(index) ? sumToInput(context, share, context.output(0), input) : undefined,
    );
  }),
  Max: extreme,
  Min: extreme,
  Clip: rule((context) => {
    const { build } = context;
    const x = context.input(0);
    const zero = scalarLike(context, 0, x);
    const below = context.hasInput(1) ? build.less(x, context.input(1)) : undefined;
    const above = context.hasInput(2) ? build.greater(x, context.input(2)) : undefined;
    const only = (condition: Value): Value =>
      build.op('ReduceSum', [build.where(condition, dy(context), zero)], undefined);
    const outside = below !== undefined && above !== undefined ? build.op('Or', [below, above]) : (below ?? above);
    const scalarSum = (condition: Value, index: number): Value => {
      const sum = only(condition);
      const flat = build.reshape(sum, build.int64s([1]));
      return context.shapeOf(context.input(index)).length === 0 ? build.squeeze(flat, [0]) : flat;
    };
    return [
      outside === undefined ? dy(context) : build.where(outside, zero, dy(context)),
      context.needs(1)
        ? scalarSum(above === undefined ? below! : build.op('And', [below!, build.op('Not', [above])]), 1)
        : undefined,
      context.needs(2) ? scalarSum(above!, 2) : undefined,
    ];
  }),
  Sign: steps,
  Floor: steps,
  Ceil: steps,
  Round: steps,
} as const;

// b a^(b-1), and 0 where b is 0, even for a = 0.
function powBase(context: GradientContext): Value {
  const { build } = context;
  const a = context.input(0);
  const exponent = context.constant(1);
  if (exponent?.data.length === 1 && typeof exponent.data[0] !== 'string' && exponent.dtype !== 'float16') {
    const value = Number(exponent.data[0]);
    if (value === 2) return build.mul(dy(context), build.mul(a, scalarLike(context, 2, a)));
    if (value === 1) return dy(context);
    if (value === 0.5) return build.div(build.mul(dy(context), scalarLike(context, 0.5, a)), context.output(0));
    if (value !== 0) {
      const power = value === 3 ? build.mul(a, a) : build.op('Pow', [a, scalarLike(context, value - 1, a)]);
      return build.mul(dy(context), build.mul(power, scalarLike(context, value, a)));
    }
  }
  const b = floatExponent(context);
  const zero = scalarLike(context, 0, a);
  const slope = build.mul(b, build.op('Pow', [a, build.sub(b, scalarLike(context, 1, a))]));
  return build.mul(dy(context), build.where(build.equal(b, zero), zero, slope));
}

// y ln a, and 0 where a is 0.
function powExponent(context: GradientContext): Value {
  const { build } = context;
  const a = context.input(0);
  const one = scalarLike(context, 1, a);
  const base = build.where(build.equal(a, scalarLike(context, 0, a)), one, a);
  return build.mul(dy(context), build.mul(context.output(0), build.log(base)));
}

function floatExponent(context: GradientContext): Value {
  const [a, b] = [context.input(0), context.input(1)];
  return context.dataTypeOf(a) === context.dataTypeOf(b) ? b : castLike(context, b, a);
}
