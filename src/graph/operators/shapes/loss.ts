import { stringOf } from '../../attributes.ts';
import { formatShape, unifyShapes } from '../../dimension.ts';
import type { Shape, TensorType } from '../../ir.ts';
import type { InferredValue, ShapeContext, ShapeRule } from '../shape-rule.ts';
import { inferredTensor, shapeError } from './inferred.ts';

/** Scores [batch, classes, ...], labels [batch, ...]: a scalar, or with reduction "none" the shape of the labels. */
function lossOf(context: ShapeContext, scores: TensorType): InferredValue {
  const labels = context.input(1)?.shape;
  const places: Shape | undefined = scores.shape && [...scores.shape.slice(0, 1), ...scores.shape.slice(2)];
  if (scores.shape !== undefined && scores.shape.length < 2) {
    throw shapeError(context, `scores need at least 2 dimensions, got ${formatShape(scores.shape)}`);
  }
  const shape = places && labels ? unifyShapes(labels, places) : (labels ?? places);
  if (places && labels && shape === undefined) {
    throw shapeError(context, `labels ${formatShape(labels)} do not fit scores ${formatShape(scores.shape)}`);
  }
  return inferredTensor(scores.dtype, stringOf(context.node, 'reduction', 'mean') === 'none' ? shape : []);
}

const negativeLogLikelihoodLoss: ShapeRule = (context) => {
  const scores = context.input(0);
  return [scores && lossOf(context, scores)];
};

const softmaxCrossEntropyLoss: ShapeRule = (context) => {
  const scores = context.input(0);
  if (scores === undefined) return [undefined, undefined];
  return [lossOf(context, scores), inferredTensor(scores.dtype, scores.shape)];
};

export const LOSS = {
  NegativeLogLikelihoodLoss: negativeLogLikelihoodLoss,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropyLoss,
} satisfies Record<string, ShapeRule>;
