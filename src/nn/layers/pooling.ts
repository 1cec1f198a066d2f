import { DATA_TYPES } from '../../base/index.ts';
import type { GraphBuilder, Value } from '../../graph/index.ts';

/** How the states of a text's tokens become one: their mean, the first, or the largest of each element. */
export type Pooling = 'mean' | 'cls' | 'max';

export const POOLINGS = ['mean', 'cls', 'max'] as const satisfies readonly Pooling[];

/** States [B, T, hidden] and a mask of what is no padding, int64 [B, T], give [B, hidden]. */
export function pooled(graph: GraphBuilder, states: Value, mask: Value, pooling: Pooling): Value {
  return POOLED[pooling](graph, states, mask);
}

const POOLED: Readonly<Record<Pooling, (graph: GraphBuilder, states: Value, mask: Value) => Value>> = {
  mean(graph, states, mask) {
    const present = graph.unsqueeze(graph.cast(mask, FLOAT32), [2]); // [B, T, 1]
    const sum = graph.reduceSum(graph.mul(states, present), [1], false); // [B, hidden]
    const count = graph.op('Max', [graph.reduceSum(present, [1], false), graph.scalar(1e-9, 'float32')]); // [B, 1]
    return graph.div(sum, count);
  },
  cls: (graph, states) => graph.squeeze(graph.slice(states, [0], [1], [1]), [1]),
  max(graph, states, mask) {
    const absent = graph.equal(graph.unsqueeze(mask, [2]), graph.scalar(0, 'int64')); // [B, T, 1]
    return graph.reduceMax(graph.where(absent, graph.scalar(LOWEST, 'float32'), states), [1], false);
  },
};

/** Vectors [B, hidden] of length 1; the zero vector stays. */
export function unitVectors(graph: GraphBuilder, x: Value): Value {
  const squares = graph.reduceSum(graph.mul(x, x), [1]);
  // Within the root, so that the gradient of a zero vector is finite.
  return graph.div(x, graph.sqrt(graph.add(squares, graph.scalar(1e-24, 'float32'))));
}

const FLOAT32 = DATA_TYPES.float32.code;
const LOWEST = -1e9;
