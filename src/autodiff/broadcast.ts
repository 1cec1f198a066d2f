import { tensorFrom } from '../base/index.ts';
import { type Dimension, type Shape, tensorAttribute, type Value } from '../graph/index.ts';
import type { GradientContext, GradientRule } from './rule.ts';
import { rule } from './rule.ts';
import { reshapeLike } from './shapes.ts';

/** A value and its shape, for gradients whose shape inference has not seen. */
export interface Shaped {
  readonly value: Value;
  readonly shape: Shape;
}

/**
 * A rule for an operator that broadcasts: each function gives the gradient of its input in the shape of the output, and
 * the axes along which that input was repeated are summed here.
 */
export function broadcasting(...gradients: readonly ((context: GradientContext) => Value)[]): GradientRule {
  return rule((context) =>
    gradients.map((gradient, index) =>
      context.needs(index)
        ? sumToInput(context, gradient(context), context.output(0), context.input(index))
        : undefined,
    ),
  );
}

/** Sums `gradient`, which has the shape of `repeated`, down to the shape of `original`, which broadcasts to it. */
export function sumToInput(context: GradientContext, gradient: Value, repeated: Value, original: Value): Value {
  if (repeated === original) return gradient;
  return sumTo(
    context,
    gradient,
    { value: repeated, shape: context.shapeOf(repeated) },
    { value: original, shape: context.shapeOf(original) },
  );
}

/**
 * The same for shapes that inference does not know by name. The last `kept` axes are not broadcast (the matrices of a
 * MatMul): they are the gradient's own, and `repeated` and `original` are compared in the axes before them.
 */
export function sumTo(context: GradientContext, gradient: Value, repeated: Shaped, original: Shaped, kept = 0): Value {
  const { build } = context;
  const added = repeated.shape.length - original.shape.length;
  const summed: number[] = [];
  let known = true;
  for (let axis = 0; axis < repeated.shape.length - kept; axis++) {
    const verdict = axis < added ? 'summed' : compare(repeated.shape[axis]!, original.shape[axis - added]!);
    if (verdict === 'summed') summed.push(axis);
    if (verdict === 'unknown') known = false;
  }
  if (known) {
    if (summed.length === 0) return gradient;
    if (summed.length === added) {
      const { value, shape } = original;
      const areRows = repeated.shape.length === 2 && shape.length === 1 && context.dataTypeOf(value) === 'float32';
      return areRows ? sumOfRows(context, gradient) : build.reduceSum(gradient, summed, false);
    }
    const reduced = build.reduceSum(gradient, summed);
    return added === 0
      ? reduced
      : build.squeeze(
          reduced,
          Array.from({ length: added }, (_, axis) => axis),
        );
  }
  // The axes along which the two shapes differ, found when the graph runs. Axes that both have with one element stay.
  const from = outer(context, repeated.value, kept);
  const to = outer(context, original.value, kept);
  const padded = added === 0 ? to : build.concat([build.int64s(new Array<number>(added).fill(1)), to], 0);
  const differ = build.op('Not', [build.equal(from, padded)]);
  const axes = build.squeeze(build.op('NonZero', [differ]), [0]);
  const reduced = build.reduceSum(gradient, axes);
  if (added === 0) return reduced;
  return kept === 0
    ? reshapeLike(context, reduced, undefined, original)
    : build.squeeze(
        reduced,
        Array.from({ length: added }, (_, axis) => axis),
      );
}

/**
 * The gradient of a bias, as a product with ones: ONNX Runtime's ReduceSum goes down columns at a third to half of that
 * speed (docs/decisions/0004-linear-layers.md).
 */
function sumOfRows({ build }: GradientContext, gradient: Value): Value {
  const rows = build.slice(build.shape(gradient), [0], [1], [0]);
  const one = tensorAttribute(tensorFrom('float32', [1]));
  return build.matMul(build.op('ConstantOfShape', [rows], { value: one }), gradient);
}

function compare(repeated: Dimension, original: Dimension): 'same' | 'summed' | 'unknown' {
  if (original === 1) return repeated === 1 ? 'same' : 'summed';
  if (typeof original === 'number') return 'same';
  if (repeated === 1) return 'same';
  return original !== null && original === repeated ? 'same' : 'unknown';
}

function outer(context: GradientContext, value: Value, kept: number): Value {
  const shape = context.build.shape(value);
  return kept === 0 ? shape : context.build.slice(shape, [0], [-kept], [0]);
}
