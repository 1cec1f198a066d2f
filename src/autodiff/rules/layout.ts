import { DATA_TYPES, isFloat } from '../../base/index.ts';
import { int, intOf, intsOf, string, stringOf, type Value } from '../../graph/index.ts';
import { sumToInput } from '../broadcast.ts';
import { type GradientContext, rule } from '../rule.ts';
import { addAtPositions, positionsOf, reshapeLike } from '../shapes.ts';

/** The same elements in another shape: the gradient takes the shape of the input. */
const reshaped = rule((context) => [likeInput(context, context.outputGradient(0))]);

const castBack = rule((context) => {
  const from = context.dataTypeOf(context.input(0));
  const to = context.dataTypeOf(context.output(0));
  if (!isFloat(to)) return [undefined];
  const dy = context.outputGradient(0);
  return [from === to ? dy : context.build.cast(dy, DATA_TYPES[from].code)];
});

/** Operators that rearrange, repeat or retype the elements of one tensor. */
export const LAYOUT = {
  Identity: rule((context) => [context.outputGradient(0)]),
  Cast: castBack,
  CastLike: castBack,
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: rule((context) => {
    const order =
      intsOf(context.node, 'perm') ??
      context.shapeOf(context.input(0)).map((_, axis, shape) => shape.length - 1 - axis);
    const inverse = order.map((_, axis) => order.indexOf(axis));
    return [context.build.transpose(context.outputGradient(0), inverse)];
  }),
  Expand: rule((context) => [sumToInput(context, context.outputGradient(0), context.output(0), context.input(0))]),
  // [r0 d0, r1 d1, …] seen as [r0, d0, r1, d1, …] and summed over the repetitions
  Tile: rule((context) => {
    const { build } = context;
    const x = context.input(0);
    const rank = context.shapeOf(x).length;
    const pairs = build.concat([build.unsqueeze(context.input(1), [1]), build.unsqueeze(build.shape(x), [1])], 1);
    const split = build.reshape(context.outputGradient(0), build.reshape(pairs, build.int64s([-1])));
    const repetitions = Array.from({ length: rank }, (_, axis) => 2 * axis);
    return [rank === 0 ? context.outputGradient(0) : build.reduceSum(split, repetitions, false)];
  }),
  Pad: rule((context) => {
    const { build, node } = context;
    const [x, pads] = [context.input(0), context.input(1)];
    const dy = context.outputGradient(0);
    const axes = context.hasInput(3) ? context.input(3) : undefined;
    const mode = stringOf(node, 'mode', 'constant');
    if (mode !== 'constant') {
      const sources = build.op('Pad', [positionsOf(context, x), pads, undefined, axes], { mode: string(mode) });
      return [addAtPositions(context, x, sources, dy)];
    }
    // Padding by the negative amounts cuts off what was added.
    const dx = (): Value => build.op('Pad', [dy, build.neg(pads), undefined, axes]);
    const cut = context.needs(0) || context.needs(2) ? dx() : undefined;
    const fill = (): Value => {
      const inside = build.reduceSum(build.op('Pad', [cut!, pads, undefined, axes]), axesOf(context, x), false);
      const sum = build.sub(build.reduceSum(dy, axesOf(context, x), false), inside);
      return context.shapeOf(context.input(2)).length === 0 ? sum : build.unsqueeze(sum, [0]);
    };
    return [context.needs(0) ? cut : undefined, undefined, context.needs(2) ? fill() : undefined];
  }),
  // What was kept keeps its gradient.
  Trilu: rule((context) => {
    const { build, node } = context;
    const k = context.hasInput(1) ? context.input(1) : undefined;
    return [build.op('Trilu', [context.outputGradient(0), k], { upper: int(intOf(node, 'upper', 1)) })];
  }),
} as const;

function likeInput(context: GradientContext, dy: Value): Value {
  const x = context.input(0);
  return reshapeLike(context, dy, context.typeOf(context.output(0))?.shape, { value: x, shape: context.shapeOf(x) });
}

function axesOf(context: GradientContext, x: Value): number[] {
  return context.shapeOf(x).map((_, axis) => axis);
}
