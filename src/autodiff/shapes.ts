import type { DataType } from '../base/index.ts';
import { DATA_TYPES, sizeOf, tensorFrom } from '../base/index.ts';
import { int, type Shape, tensorAttribute, type Value } from '../graph/index.ts';
import type { Shaped } from './broadcast.ts';
import type { GradientContext } from './rule.ts';

type NumericType = Exclude<DataType, 'string'>;

/**
 * Gives `value` the shape of `like`. `current` is the shape of `value`, where known. The target is written as a constant
 * wherever that can be done (0 keeps an axis, one -1 is computed): a Shape node would keep `like` in memory until then.
 */
export function reshapeLike(context: GradientContext, value: Value, current: Shape | undefined, like: Shaped): Value {
  if (current !== undefined && sameShape(current, like.shape)) return value;
  const constant = constantShape(context, current, like.shape);
  return constant === undefined
    ? reshapeTo(context, value, context.build.shape(like.value))
    : context.build.reshape(value, constant);
}

/** Reshapes to exactly these dimensions, in which 0 means 0 (before operator set 14 it always means "as in the input"). */
export function reshapeTo({ build }: Pick<GradientContext, 'build'>, value: Value, dims: Value): Value {
  return build.op('Reshape', [value, dims], build.opset < 14 ? {} : { allowzero: int(1) });
}

function constantShape(context: GradientContext, current: Shape | undefined, target: Shape): Value | undefined {
  const dims: number[] = [];
  let open = false;
  for (const [axis, dim] of target.entries()) {
    const there = current?.[axis];
    if (typeof dim === 'number' && dim !== 0) dims.push(dim);
    else if (dim !== null && there !== undefined && there === dim) dims.push(0);
    else if (dim === 0 || open) return undefined;
    else {
      open = true;
      dims.push(-1);
    }
  }
  return context.build.int64s(dims);
}

/** Whether the two shapes are certainly equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim !== null && dim === b[axis]);
}

/** Number of elements along some axes, where known. */
export function knownSize(shape: Shape): number | undefined {
  return shape.every((dim) => typeof dim === 'number') ? sizeOf(shape as readonly number[]) : undefined;
}

/** A scalar of the element type of `like`. */
export function scalarLike(context: GradientContext, value: number, like: Value): Value {
  return scalarOf(context, value, context.dataTypeOf(like));
}

/**
 * A number to combine with `like` and values of its shape, element by element. Where the last axis is of one element, it has
 * as many axes as `like`: ONNX Runtime multiplies [32, 576, 1, 1] by a tensor without axes at a tenth of the speed.
 */
export function scalarOver(context: GradientContext, value: number, like: Value): Value {
  const shape = context.typeOf(like)?.shape;
  if (shape?.at(-1) !== 1 || context.dataTypeOf(like) !== 'float32') return scalarLike(context, value, like);
  return context.build.constant(
    tensorFrom(
      'float32',
      [value],
      shape.map(() => 1),
    ),
  );
}

export function scalarOf(context: Pick<GradientContext, 'build'>, value: number, dtype: NumericType): Value {
  const { build } = context;
  // 16-bit floats are stored as their bits: let the runtime round, once, when it folds constants.
  if (dtype === 'float16' || dtype === 'bfloat16') {
    return build.cast(build.scalar(value, 'float32'), DATA_TYPES[dtype].code);
  }
  return build.scalar(value, dtype);
}

/** Zeros in the shape of a value of the forward graph. */
export function zerosLike(context: Pick<GradientContext, 'build' | 'typeOf' | 'dataTypeOf'>, value: Value): Value {
  const shape = context.typeOf(value)?.shape;
  const { build } = context;
  const dims =
    shape !== undefined && knownSize(shape) !== undefined
      ? build.int64s(shape as readonly number[])
      : build.shape(value);
  return zerosOf(context, dims, context.dataTypeOf(value));
}

/** Zeros of a shape that is itself a value. */
export function zerosOf(context: Pick<GradientContext, 'build'>, dims: Value, dtype: NumericType): Value {
  const element = tensorFrom(dtype, [0]);
  return context.build.op('ConstantOfShape', [dims], { value: tensorAttribute(element) });
}

/** A boolean or integer value as 0 and 1 of the element type of `like`. */
export function castLike(context: GradientContext, value: Value, like: Value): Value {
  return context.build.cast(value, DATA_TYPES[context.dataTypeOf(like)].code);
}

/** The dimension of `value` along `axis` as int64 [1]. */
export function dimensionOf(context: GradientContext, value: Value, axis: number): Value {
  const { build } = context;
  const dim = context.shapeOf(value)[axis];
  return typeof dim === 'number' ? build.int64s([dim]) : build.gather(build.shape(value), build.int64s([axis]));
}

/** The shape of `value` as an int64 value: a constant where all of it is known. */
export function shapeValue(context: GradientContext, value: Value): Value {
  const shape = context.shapeOf(value);
  return knownSize(shape) === undefined ? context.build.shape(value) : context.build.int64s(shape as readonly number[]);
}

/**
 * The positions (row-major, int64) of the elements of `value`, in its shape. What an operator does to them says where
 * each element of its output came from.
 */
export function positionsOf(context: GradientContext, value: Value): Value {
  const { build } = context;
  const count = build.op('Size', [value]);
  const range = build.op('Range', [build.scalar(0, 'int64'), count, build.scalar(1, 'int64')]);
  return reshapeTo(context, range, shapeValue(context, value));
}

/** Adds the elements of `gradient` into zeros in the shape of `target`, each at its row-major position. */
export function addAtPositions(context: GradientContext, target: Value, positions: Value, gradient: Value): Value {
  const { build } = context;
  const flat = build.int64s([-1]);
  const size = knownSize(context.shapeOf(target));
  const count = size === undefined ? build.unsqueeze(build.op('Size', [target]), [0]) : build.int64s([size]);
  const sums = build.scatterAdd(
    zerosOf(context, count, context.dataTypeOf(target)),
    build.reshape(positions, flat),
    build.reshape(gradient, flat),
    0,
  );
  return reshapeTo(context, sums, shapeValue(context, target));
}
