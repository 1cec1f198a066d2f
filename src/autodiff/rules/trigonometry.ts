import type { Value } from '../../graph/index.ts';
import type { GradientContext } from '../rule.ts';
import { scalarLike } from '../shapes.ts';
import { elementwise } from './arithmetic.ts';

const square = (context: GradientContext, x: Value): Value => context.build.mul(x, x);
const one = (context: GradientContext, x: Value): Value => scalarLike(context, 1, x);

export const TRIGONOMETRY = {
  Sin: elementwise(({ build }, dy, x) => build.mul(dy, build.op('Cos', [x]))),
  Cos: elementwise(({ build }, dy, x) => build.mul(dy, build.neg(build.op('Sin', [x])))),
  // 1 + y²
  Tan: elementwise((context, dy, x) => {
    const { build } = context;
    return build.mul(dy, build.add(one(context, x), square(context, context.output(0))));
  }),
  Sinh: elementwise(({ build }, dy, x) => build.mul(dy, build.op('Cosh', [x]))),
  Cosh: elementwise(({ build }, dy, x) => build.mul(dy, build.op('Sinh', [x]))),
  // 1 / √(1 - x²)
  Asin: elementwise((context, dy, x) => {
    const { build } = context;
    return build.div(dy, build.sqrt(build.sub(one(context, x), square(context, x))));
  }),
  Acos: elementwise((context, dy, x) => {
    const { build } = context;
    return build.neg(build.div(dy, build.sqrt(build.sub(one(context, x), square(context, x)))));
  }),
  Atan: elementwise((context, dy, x) => {
    const { build } = context;
    return build.div(dy, build.add(one(context, x), square(context, x)));
  }),
  Asinh: elementwise((context, dy, x) => {
    const { build } = context;
    return build.div(dy, build.sqrt(build.add(one(context, x), square(context, x))));
  }),
  Acosh: elementwise((context, dy, x) => {
    const { build } = context;
    return build.div(dy, build.sqrt(build.sub(square(context, x), one(context, x))));
  }),
  Atanh: elementwise((context, dy, x) => {
    const { build } = context;
    return build.div(dy, build.sub(one(context, x), square(context, x)));
  }),
} as const;
