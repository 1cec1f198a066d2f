import { float, int, type Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import { parameter } from '../parameter.ts';

/** Layer normalization over the last axis, of `size` elements (Ba, Kiros and Hinton, 2016). */
export function layerNorm(
  build: Build,
  x: Value,
  name: string,
  options: { readonly size: number; readonly epsilon: number },
): Value {
  const weight = parameter(build, `${name}.weight`, [options.size], 'ones');
  const bias = parameter(build, `${name}.bias`, [options.size], 'zeros');
  return build.graph.node('LayerNormalization', [x, weight, bias], {
    attributes: { axis: int(-1), epsilon: float(options.epsilon) },
    name: build.graph.unique(name),
    hint: `${name}.output`,
  })[0]!;
}
