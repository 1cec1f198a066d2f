import type { Optimizer } from './optimizer.ts';

export interface LionOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly weightDecay?: number;
}

/**
 * Lion (Chen et al., 2023, "Symbolic Discovery of Optimization Algorithms"): one state tensor a parameter, half of
 * AdamW's. Its learning rate is 3 to 10 times smaller than AdamW's and its decay as many times larger.
 *   p' = (1 - lr decay) p - lr sign(beta1 m + (1 - beta1) g)        m' = beta2 m + (1 - beta2) g
 */
export function lion(options: LionOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.99, weightDecay = 0.1 } = options;
  return {
    name: 'lion',
    settings: { beta1, beta2, weightDecay },
    state: ['momentum'],
    scalars: ['learning_rate', 'keep'],
    scalarValues: (_step, learningRate) => ({ learning_rate: learningRate, keep: 1 - learningRate * weightDecay }),
    update(b, { parameter, gradient, state, scalars, decays, dtype }) {
      const blend = (beta: number) =>
        b.add(b.mul(state.momentum!, b.scalar(beta, dtype)), b.mul(gradient, b.scalar(1 - beta, dtype)));
      const kept = decays && weightDecay !== 0 ? b.mul(parameter, scalars.keep!) : parameter;
      const direction = b.op('Sign', [blend(beta1)]);
      return { parameter: b.sub(kept, b.mul(direction, scalars.learning_rate!)), state: { momentum: blend(beta2) } };
    },
  };
}
