import { normalizeAxis } from '../../base/index.ts';
import { int, intOf, stringOf, type Value } from '../../graph/index.ts';
import { type GradientContext, rule } from '../rule.ts';
import { addAtPositions, positionsOf, zerosLike } from '../shapes.ts';

/**
 * Operators that read or write elements at indices. Gradients of reads are sums at those indices, written as
 * ScatterElements(add), which gives the same bits on every run with several threads; ScatterND(add) does not.
 */
export const INDEXING = {
  Gather: rule((context) => {
    const { build, node } = context;
    const [data, indices] = [context.input(0), context.input(1)];
    const shape = context.shapeOf(data);
    const axis = normalizeAxis(intOf(node, 'axis', 0), shape.length);
    const rank = context.shapeOf(indices).length;
    const dy = context.outputGradient(0);
    // The axes of `indices` become one: [before…, count, after…]
    const dims = build.shape(data);
    const part = (from: number, to: number): Value => build.slice(dims, [from], [to], [0]);
    const merged = [
      ...(axis > 0 ? [part(0, axis)] : []),
      build.int64s([-1]),
      ...(axis < shape.length - 1 ? [part(axis + 1, shape.length)] : []),
    ];
    const rows = rank === 1 ? dy : build.reshape(dy, merged.length === 1 ? merged[0]! : build.concat(merged, 0));
    const column = shape.map((_, other) => (other === axis ? -1 : 1));
    const repeated = build.expand(build.reshape(indices, build.int64s(column)), build.shape(rows));
    return [build.scatterAdd(zerosLike(context, data), repeated, rows, axis)];
  }, 16),
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
