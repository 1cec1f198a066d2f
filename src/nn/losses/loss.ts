import type { DataType } from '../../base/index.ts';
import type { GraphBuilder, Shape, Value } from '../../graph/index.ts';

/** A loss: the labels that it wants, and the graph that it adds. */
export interface Loss {
  readonly name: string;
  /** The type of the labels, given the shape of the predictions. */
  readonly labels: (predictions: Shape) => { readonly dtype: DataType; readonly shape: Shape };
  /** `rank` is that of the predictions. */
  readonly build: (graph: GraphBuilder, inputs: LossInputs) => LossTerms;
}

export interface LossInputs {
  readonly predictions: Value;
  readonly rank: number;
  readonly labels: Value;
}

/**
 * What a loss says of each example (or token), float32, all of one shape: the loss is Σ losses / Σ weights. Where `weights`
 * is left out, each counts once.
 */
export interface LossTerms {
  /** Already multiplied by the weight. */
  readonly losses: Value;
  readonly weights?: Value;
}

/** The mean of `x` over all its axes but the first: [N, …] → [N]. */
export function meanOfExample(graph: GraphBuilder, x: Value, rank: number): Value {
  if (rank < 2) return x;
  return graph.reduceMean(
    x,
    Array.from({ length: rank - 1 }, (_, axis) => axis + 1),
    false,
  );
}
