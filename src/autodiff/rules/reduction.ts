import { numbersOf } from '../../base/index.ts';
import { int, intOf, intsOf, type Value } from '../../graph/index.ts';
import { type GradientContext, type GradientRule, rule } from '../rule.ts';
import { castLike, knownSize, scalarLike, shapeValue } from '../shapes.ts';

/**
 * A rule for a reduction: `gradient` gets the output and its gradient with the reduced axes kept as 1, and gives
 * something that broadcasts to the input.
 */
function reduction(
  gradient: (context: GradientContext, dy: Value, x: Value, y: () => Value) => { value: Value; expanded: boolean },
): GradientRule {
  return rule((context) => {
    const { build } = context;
    const x = context.input(0);
    const kept = (value: Value): Value => keepAxes(context, value);
    const { value, expanded } = gradient(context, kept(context.outputGradient(0)), x, () => kept(context.output(0)));
    const shape = (): Value => (context.typeOf(x)?.shape === undefined ? build.shape(x) : shapeValue(context, x));
    return [expanded ? value : build.expand(value, shape())];
  });
}

const small = (value: Value) => ({ value, expanded: false });
const full = (value: Value) => ({ value, expanded: true });

/** The elements that equal the extreme share its gradient evenly, as PyTorch does. */
const extreme = reduction((context, dy, x, y) => {
  const { build } = context;
  const hits = castLike(context, build.equal(x, y()), x);
  return full(build.mul(hits, build.div(dy, sumKept(context, hits))));
});

export const REDUCTION = {
  ReduceSum: reduction((_, dy) => small(dy)),
  ReduceMean: reduction((context, dy, x) => small(context.build.mul(dy, reciprocalCount(context, x)))),
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceL1: reduction(({ build }, dy, x) => full(build.mul(dy, build.op('Sign', [x])))),
  // x / y, and 0 where the norm is 0
  ReduceL2: reduction((context, dy, x, y) => {
    const { build } = context;
    const norm = y();
    const zero = scalarLike(context, 0, x);
    return full(build.mul(x, build.where(build.equal(norm, zero), zero, build.div(dy, norm))));
  }),
  ReduceSumSquare: reduction((context, dy, x) => {
    const { build } = context;
    return full(build.mul(x, build.mul(dy, scalarLike(context, 2, x))));
  }),
  // 1 / sum = e^-y
  ReduceLogSum: reduction(({ build }, dy, _, y) => small(build.mul(dy, build.exp(build.neg(y()))))),
  ReduceLogSumExp: reduction(({ build }, dy, x, y) => full(build.mul(dy, build.exp(build.sub(x, y()))))),
  // The product of the others: y / x, where one factor is 0 the product of the rest for it alone.
  ReduceProd: reduction((context, dy, x) => {
    const { build } = context;
    const axes = constantAxes(context);
    if (axes === undefined || axes.length === 0) throw context.unsupported('the axes are not constant');
    if (axes === 'all') throw context.unsupported('the number of dimensions of its input is not known');
    const [zero, one] = [scalarLike(context, 0, x), scalarLike(context, 1, x)];
    const isZero = build.equal(x, zero);
    const nonZero = build.where(isZero, one, x);
    const product = build.reduceProd(nonZero, axes);
    const zeroCount = sumKept(context, castLike(context, isZero, x));
    const forZero = build.where(build.equal(zeroCount, one), product, zero);
    const forOthers = build.div(build.where(build.equal(zeroCount, zero), product, zero), nonZero);
    return full(build.mul(dy, build.where(isZero, forZero, forOthers)));
  }),
} as const;

/** Sums over the axes that the node reduces, which are kept as 1. */
function sumKept(context: GradientContext, value: Value): Value {
  const { build } = context;
  const axes = constantAxes(context);
  if (axes === 'all') return build.op('ReduceSum', [value], { keepdims: int(1) });
  if (axes === undefined) return build.reduceSum(value, context.input(1));
  return axes.length === 0 ? value : build.reduceSum(value, axes);
}

/** The reduced axes where they are constant ("all" where nobody knows how many there are), else undefined. */
function constantAxes(context: GradientContext): readonly number[] | 'all' | undefined {
  const { node } = context;
  const attribute = intsOf(node, 'axes');
  if (attribute !== undefined && attribute.length > 0) return attribute;
  if (context.hasInput(1)) {
    const input = context.constant(1);
    if (input === undefined) return undefined;
    if (input.data.length > 0) return numbersOf(input);
  }
  if (intOf(node, 'noop_with_empty_axes', 0) !== 0) return [];
  return context.typeOf(context.input(0))?.shape?.map((_, axis) => axis) ?? 'all';
}

/** `value`, shaped like the output, with the reduced axes as 1. */
function keepAxes(context: GradientContext, value: Value): Value {
  const { build, node } = context;
  if (intOf(node, 'keepdims', 1) !== 0) return value;
  const axes = constantAxes(context);
  // Where all axes go, a scalar is left, which broadcasts as it is.
  if (axes === 'all') return value;
  if (axes !== undefined) return axes.length === 0 || isScalar(context) ? value : build.unsqueeze(value, axes);
  const reduced = context.input(1);
  const ones = build.expand(build.int64s([1]), build.shape(reduced));
  return build.reshape(value, build.op('ScatterElements', [build.shape(context.input(0)), reduced, ones]));
}

function isScalar(context: GradientContext): boolean {
  return context.typeOf(context.output(0))?.shape?.length === 0;
}

/** 1 / (number of elements that each output is the mean of). */
function reciprocalCount(context: GradientContext, x: Value): Value {
  const { build } = context;
  const shape = context.typeOf(x)?.shape;
  const axes = constantAxes(context);
  const count =
    axes === undefined || axes === 'all' ? undefined : knownSize(axes.map((axis) => shape?.at(axis) ?? null));
  if (count !== undefined) return scalarLike(context, 1 / count, x);
  const sizes = [x, context.output(0)].map((value) => castLike(context, build.op('Size', [value]), x));
  return build.div(sizes[1]!, sizes[0]!);
}
