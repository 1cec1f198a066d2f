import type { Optimizer } from './optimizer.ts';

export interface SgdOptions {
  readonly momentum?: number;
  readonly nesterov?: boolean;
  /** Added to the gradient, as PyTorch's SGD does. */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent with momentum, equal to PyTorch's SGD (dampening 0):
 *   v' = momentum v + g        p' = p - lr v'   (Nesterov: p - lr (g + momentum v'))
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  return {
    name: 'sgd',
    settings: { momentum, nesterov, weightDecay },
    state: momentum === 0 ? [] : ['velocity'],
    scalars: ['learning_rate'],
    scalarValues: (_step, learningRate) => ({ learning_rate: learningRate }),
    update(b, { parameter, gradient, state, scalars, decays, dtype }) {
      const decayed =
        decays && weightDecay !== 0 ? b.add(gradient, b.mul(parameter, b.scalar(weightDecay, dtype))) : gradient;
      if (momentum === 0) return { parameter: b.sub(parameter, b.mul(decayed, scalars.learning_rate!)), state: {} };
      const scale = b.scalar(momentum, dtype);
      const velocity = b.add(b.mul(state.velocity!, scale), decayed);
      const direction = nesterov ? b.add(decayed, b.mul(velocity, scale)) : velocity;
      return { parameter: b.sub(parameter, b.mul(direction, scalars.learning_rate!)), state: { velocity } };
    },
  };
}
