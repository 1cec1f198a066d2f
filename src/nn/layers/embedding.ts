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
