import { LatheError } from '../base/errors.ts';

export interface ScheduleOptions {
  readonly kind: 'linear' | 'cosine' | 'constant';
  /** The highest learning rate, reached at the end of the warm-up. */
  readonly learningRate: number;
  /** Share of all steps (under 1) or number of steps that the rate rises from 0. */
  readonly warmup: number;
}

/** The learning rate of a step, counted from 1, out of `totalSteps`: a linear rise, then the fall that `kind` names, to 0. */
export function learningRateAt(
  step: number,
  totalSteps: number,
  { kind, learningRate, warmup }: ScheduleOptions,
): number {
  if (!(learningRate > 0)) throw new LatheError('usage', `the learning rate must be above 0, got ${learningRate}`);
  const warmupSteps = Math.min(totalSteps, warmup < 1 ? Math.ceil(warmup * totalSteps) : warmup);
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps;
  if (kind === 'constant') return learningRate;
  // The last step still moves: the fall would reach 0 one step after it.
  const progress = Math.min(1, (step - 1 - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  return learningRate * (kind === 'linear' ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2);
}
