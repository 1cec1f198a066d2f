import { type DataType, LatheError } from '../../base/index.ts';
import type { GraphBuilder, Shape, TensorType, Value } from '../../graph/index.ts';

/** A loss: the labels that it wants, and the graph that it adds. */
export interface Loss {
  readonly name: string;
  /** The type of the labels, given the shape of the predictions. Throws 'shape' where the loss has no use for that shape. */
  readonly labels: (predictions: Shape) => { readonly dtype: DataType; readonly shape: Shape };
  /** The shape of the terms, and so of weights that a caller adds. */
  readonly terms: (predictions: Shape) => Shape;
  /** Columns of the data that it reads beside the labels, by name. They become inputs of these names. */
  readonly columns?: (predictions: Shape) => Readonly<Record<string, LossColumn>>;
  readonly build: (graph: GraphBuilder, inputs: LossInputs) => LossTerms;
}

export type LossColumn = Required<Pick<TensorType, 'dtype' | 'shape'>>;

export interface LossInputs {
  readonly predictions: Value;
  readonly shape: Shape;
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

/** A loss that compares prediction and label element by element and takes an example's mean over its elements. */
export function elementwiseLoss(
  name: string,
  dtype: DataType,
  build: (graph: GraphBuilder, predictions: Value, labels: Value) => Value,
): Loss {
  return {
    name,
    labels: (predictions) => ({ dtype, shape: predictions }),
    terms: (predictions) => predictions.slice(0, 1),
    build: (graph, { predictions, labels, shape }) => {
      const losses = build(graph, predictions, labels);
      const axes = shape.slice(1).map((_, index) => index + 1);
      return { losses: axes.length === 0 ? losses : graph.reduceMean(losses, axes, false) };
    },
  };
}

/** Refuses an option that is no finite number, or not above `above`. */
export function positiveOption(loss: string, option: string, value: number): number {
  if (value > 0 && Number.isFinite(value)) return value;
  throw new LatheError('usage', `${loss}: ${option} should be a number above 0, got ${value}`);
}
