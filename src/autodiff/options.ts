import type { GradientRow } from './rule.ts';

export interface GradientOptions {
  /** The value to differentiate: a scalar, unless `seed` is given. */
  readonly of: string;
  /** Initializers, graph inputs or values in between. */
  readonly withRespectTo: readonly string[];
  /** The name of a graph input to add, in the shape of `of`: the gradient that the walk starts from, instead of 1. */
  readonly seed?: string;
  /** Values that are outputs beside `of` and the gradients: the outputs of the model by default. */
  readonly keep?: readonly string[];
  /** Rows for operators that Lathe has no rule for, or other rules than its own, by `OpType` or `domain.OpType`. */
  readonly rules?: Readonly<Record<string, GradientRow>>;
}
