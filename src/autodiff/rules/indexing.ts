import { DATA_TYPES, normalizeAxis, numbersOf } from '../../base/index.ts';
import { int, intOf, type Shape, stringOf, type Value } from '../../graph/index.ts';
import { type GradientContext, rule } from '../rule.ts';
import { addAtPositions, castLike, dimensionOf, positionsOf, zerosLike } from '../shapes.ts';

/**
 * Operators that read or write elements at indices. Gradients of reads are sums at those indices, written as
 * ScatterElements(add), which gives the same bits on every run with several threads; ScatterND(add) does not.
 */
export const INDEXING = {
  Gather: rule((context) => [gatherOne(context) ?? gatherRows(context) ?? gatherAlong(context)], 16),
  GatherElements: rule((context) => {
    const axis = intOf(context.node, 'axis', 0);
    const zeros = zerosLike(context, context.input(0));
    return [context.build.scatterAdd(zeros, context.input(1), context.outputGradient(0), axis)];
  }, 16),
  GatherND: rule((context) => {
    const { build, node } = context;
    const [data, indices] = [context.input(0), context.input(1)];
    const sources = build.op('GatherND', [positionsOf(context, data), indices], {
      batch_dims: int(intOf(node, 'batch_dims', 0)),
    });
    return [addAtPositions(context, data, sources, context.outputGradient(0))];
  }, 16),
  ScatterElements: rule((context) => {
    const { build, node } = context;
    const [indices, updates] = [context.input(1), context.input(2)];
    const attributes = { axis: int(intOf(node, 'axis', 0)) };
    const dy = context.outputGradient(0);
    return [
      adds(context) ? dy : build.op('ScatterElements', [dy, indices, zerosLike(context, updates)], attributes),
      undefined,
      context.needs(2) ? build.op('GatherElements', [dy, indices], attributes) : undefined,
    ];
  }),
  ScatterND: rule((context) => {
    const { build } = context;
    const [indices, updates] = [context.input(1), context.input(2)];
    const dy = context.outputGradient(0);
    return [
      adds(context) ? dy : build.op('ScatterND', [dy, indices, zerosLike(context, updates)]),
      undefined,
      context.needs(2) ? build.op('GatherND', [dy, indices]) : undefined,
    ];
  }),
  // Each value came from one place: nothing is added twice.
  TopK: rule((context) => {
    const { build, node } = context;
    const axis = int(intOf(node, 'axis', -1));
    const zeros = zerosLike(context, context.input(0));
    return [build.op('ScatterElements', [zeros, context.output(1), context.outputGradient(0)], { axis })];
  }),
} as const;

function adds(context: GradientContext): boolean {
  const reduction = stringOf(context.node, 'reduction', 'none');
  if (reduction === 'none') return false;
  if (reduction === 'add') return true;
  throw context.unsupported(`reduction "${reduction}" has no gradient here`, 'Use "none" or "add".');
}

interface Gathering {
  readonly data: Value;
  readonly indices: Value;
  readonly shape: Shape;
  readonly axis: number;
}

function gathering(context: GradientContext): Gathering {
  const [data, indices] = [context.input(0), context.input(1)];
  const shape = context.shapeOf(data);
  return { data, indices, shape, axis: normalizeAxis(intOf(context.node, 'axis', 0), shape.length, 'axis') };
}

/** One constant index, as where the first token is picked: zeros around the gradient. */
function gatherOne(context: GradientContext): Value | undefined {
  const { build } = context;
  const { data, indices, shape, axis } = gathering(context);
  const constant = context.constant(1);
  if (constant?.data.length !== 1 || context.shapeOf(indices).length > 1) return undefined;
  const index = numbersOf(constant)[0]!;
  const dy = context.outputGradient(0);
  const row = constant.dims.length === 0 ? build.unsqueeze(dy, [axis]) : dy;
  const others = (count: number): readonly number[] => new Array<number>(count).fill(0);
  const dim = shape[axis]!;
  if (typeof dim === 'number') {
    const before = others(shape.length).with(axis, index < 0 ? index + dim : index);
    const after = others(shape.length).with(axis, index < 0 ? -1 - index : dim - 1 - index);
    return build.op('Pad', [row, build.int64s([...before, ...after])]);
  }
  const rest = build.add(dimensionOf(context, data, axis), build.int64s([index < 0 ? index : -1 - index]));
  const fixed = build.int64s([index < 0 ? -1 - index : index]);
  const [before, after] = index < 0 ? [rest, fixed] : [fixed, rest];
  const zeros = (count: number): Value[] => (count === 0 ? [] : [build.int64s(others(count))]);
  const [left, right] = [zeros(axis), zeros(shape.length - 1 - axis)];
  return build.op('Pad', [row, build.concat([...left, before, ...right, ...left, after, ...right], 0)]);
}

/** Up to this many rows, a product with a one-hot matrix is faster than adding row by row (0.5 to 3 ms against 4 to 10). */
const ONE_HOT_ROWS = 128;

/** Rows of a matrix, as embeddings are: 2048 rows of 384 take 6 ms by flat positions, 16 ms by expanded indices. */
function gatherRows(context: GradientContext): Value | undefined {
  const { build } = context;
  const { data, indices, shape, axis } = gathering(context);
  const [count, width] = shape;
  if (axis !== 0 || shape.length !== 2 || typeof width !== 'number') return undefined;
  const dtype = context.dataTypeOf(indices);
  const dy = context.outputGradient(0);
  const int64Indices = dtype === 'int64' ? indices : build.cast(indices, DATA_TYPES.int64.code);
  const [zero, one] = [build.scalar(0, 'int64'), build.scalar(1, 'int64')];
  if (typeof count === 'number' && count > 0 && count <= ONE_HOT_ROWS && width > 0) {
    const flat = build.reshape(int64Indices, build.int64s([1, -1]));
    const fromFront = build.where(build.less(flat, zero), build.add(flat, build.scalar(count, 'int64')), flat);
    const rows = build.reshape(build.op('Range', [zero, build.scalar(count, 'int64'), one]), build.int64s([-1, 1]));
    const oneHot = castLike(context, build.equal(rows, fromFront), data);
    return build.matMul(oneHot, build.reshape(dy, build.int64s([-1, width])));
  }
  const start = build.mul(build.reshape(int64Indices, build.int64s([-1, 1])), build.scalar(width, 'int64'));
  const positions = build.add(start, build.op('Range', [zero, build.scalar(width, 'int64'), one]));
  return addAtPositions(context, data, positions, dy);
}

/** Any axis, any rank: indices repeated to the shape of the gradient. */
function gatherAlong(context: GradientContext): Value {
  const { build } = context;
  const { data, indices, shape, axis } = gathering(context);
  const dy = context.outputGradient(0);
  // The axes of `indices` become one: [before…, count, after…]
  const dims = build.shape(data);
  const part = (from: number, to: number): Value => build.slice(dims, [from], [to], [0]);
  const merged = [
    ...(axis > 0 ? [part(0, axis)] : []),
    build.int64s([-1]),
    ...(axis < shape.length - 1 ? [part(axis + 1, shape.length)] : []),
  ];
  const single = context.shapeOf(indices).length === 1;
  const rows = single ? dy : build.reshape(dy, merged.length === 1 ? merged[0]! : build.concat(merged, 0));
  const column = shape.map((_, other) => (other === axis ? -1 : 1));
  const repeated = build.expand(build.reshape(indices, build.int64s(column)), build.shape(rows));
  return build.scatterAdd(zerosLike(context, data), repeated, rows, axis);
}
