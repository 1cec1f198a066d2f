import type { Optimizer } from './optimizer.ts';

export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, 2019), equal to PyTorch's AdamW.
 *
 * The graph keeps the moments without their factors, M = m / (1 - beta1) and V = v / (1 - beta2), and the bias
 * corrections are moved into scalars. The numbers are the same; three passes over memory a parameter are saved:
 *   M' = beta1 M + g        V' = beta2 V + g²
 *   p' = (1 - lr decay) p - stepSize M' / (sqrt(V') + scaledEpsilon)
 */
export function adamW(options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options;
  return {
    name: 'adamW',
    settings: { beta1, beta2, epsilon, weightDecay },
    state: ['first_moment', 'second_moment'],
    scalars: ['step_size', 'scaled_epsilon', 'keep'],
    scalarValues(step, learningRate) {
      const firstScale = (1 - beta1) / (1 - beta1 ** step);
      const secondScale = Math.sqrt((1 - beta2) / (1 - beta2 ** step));
      return {
        step_size: (learningRate * firstScale) / secondScale,
        scaled_epsilon: epsilon / secondScale,
        keep: 1 - learningRate * weightDecay,
      };
    },
    update(b, { parameter, gradient, state, scalars, decays, dtype }) {
      const first = b.add(b.mul(state.first_moment!, b.scalar(beta1, dtype)), gradient);
      const second = b.add(b.mul(state.second_moment!, b.scalar(beta2, dtype)), b.mul(gradient, gradient));
      const direction = b.div(first, b.add(b.sqrt(second), scalars.scaled_epsilon!));
      const kept = decays && weightDecay !== 0 ? b.mul(parameter, scalars.keep!) : parameter;
      return {
        parameter: b.sub(kept, b.mul(direction, scalars.step_size!)),
        state: { first_moment: first, second_moment: second },
      };
    },
  };
}
