import type { Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import { PROBABILITY_KEY } from '../dropout-masks.ts';

/**
 * Sets elements to zero with the given probability and scales the others by 1 / (1 − probability) (Srivastava et al.,
 * 2014), in the training form only. The mask is an input of the graph, named `<name>.mask`, of the shape of `x`; `maskSource`
 * fills it, and docs/decisions/0002-dropout.md says why.
 */
export function dropout(
  build: Build,
  x: Value,
  name: string,
  options: { readonly probability: number; readonly shape: readonly (number | string)[] },
): Value {
  if (build.form === 'inference' || options.probability === 0) return x;
  const mask = build.graph.input(
    `${name}.mask`,
    'float32',
    options.shape,
    new Map([[PROBABILITY_KEY, String(options.probability)]]),
  );
  return build.graph.mul(x, mask);
}
