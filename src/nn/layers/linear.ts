import { float, int, type Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import type { Initialization } from '../initialization.ts';
import { parameter } from '../parameter.ts';

/**
 * `scale · (x · weightᵀ + bias)`, with `x` [N, inputs] and the weight as PyTorch stores it, [outputs, inputs]. The scale
 * (1 unless given) costs nothing: it goes into the Gemm's `alpha` and `beta`.
 */
export function linear(
  build: Build,
  x: Value,
  name: string,
  options: {
    readonly inputs: number;
    readonly outputs: number;
    readonly initialization: Initialization;
    readonly scale?: number;
  },
): Value {
  const { inputs, outputs, scale = 1 } = options;
  const weight = parameter(build, `${name}.weight`, [outputs, inputs], options.initialization);
  const bias = parameter(build, `${name}.bias`, [outputs], 'zeros');
  return build.graph.node('Gemm', [x, weight, bias], {
    attributes: { transB: int(1), ...(scale !== 1 && { alpha: float(scale), beta: float(scale) }) },
    name: build.graph.unique(name),
    hint: `${name}.output`,
  })[0]!;
}
