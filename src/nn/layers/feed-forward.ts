import type { Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import type { Initialization } from '../initialization.ts';
import { type Activation, activation } from './activation.ts';
import { linear } from './linear.ts';

/** Two linear layers with an activation between them: [N, hidden] → [N, intermediate] → [N, hidden]. */
export function feedForward(
  build: Build,
  x: Value,
  names: { readonly expand: string; readonly contract: string },
  options: {
    readonly hidden: number;
    readonly intermediate: number;
    readonly activation: Activation;
    readonly initialization: Initialization;
  },
): Value {
  const { hidden, intermediate, initialization } = options;
  const expanded = linear(build, x, names.expand, { inputs: hidden, outputs: intermediate, initialization });
  return linear(build, activation(build, expanded, options.activation), names.contract, {
    inputs: intermediate,
    outputs: hidden,
    initialization,
  });
}
