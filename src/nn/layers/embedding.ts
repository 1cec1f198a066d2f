import { tensorFrom } from '../../base/index.ts';
import type { Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import type { Initialization } from '../initialization.ts';
import { parameter } from '../parameter.ts';

/** The row of a table [count, size] for each id (int64, any shape): `ids` [...] gives [..., size]. */
export function embedding(
  build: Build,
  ids: Value,
  name: string,
  options: { readonly count: number; readonly size: number; readonly initialization: Initialization },
): Value {
  return build.graph.gather(
    parameter(build, `${name}.weight`, [options.count, options.size], options.initialization),
    ids,
  );
}

/**
 * Adds the row of a small table [count, size] for each id to `x`: `ids` int64 [N], `x` [N, size]. It is a product with
 * one-hot rows, so that the gradient is one too: a gather's gradient adds row after row in a single thread, which for two
 * token types took 2.5 % of a training step. An id outside the table adds nothing.
 */
export function addSmallEmbedding(
  build: Build,
  x: Value,
  ids: Value,
  name: string,
  options: { readonly count: number; readonly size: number; readonly initialization: Initialization },
): Value {
  const { graph } = build;
  const { count, size, initialization } = options;
  const table = parameter(build, `${name}.weight`, [count, size], initialization);
  const oneHot = graph.op('OneHot', [ids, graph.scalar(count, 'int64'), graph.constant(tensorFrom('float32', [0, 1]))]); // [N, count]
  return graph.gemm(oneHot, table, x);
}
