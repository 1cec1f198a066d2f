import type { ObjectiveRule } from './objective.ts';

/** The loss itself, for tasks that have no better figure while they train. `perplexity` gives e to the loss as well. */
export const loss: ObjectiveRule<{ readonly perplexity?: boolean }> = {
  headline: 'loss',
  better: 'lower',
  start: ({ perplexity }) => ({
    outputs: [],
    add: () => {},
    metrics: (value) => (perplexity ? { perplexity: Math.exp(value) } : {}),
  }),
};
