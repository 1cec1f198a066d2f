import { DATA_TYPES, LatheError } from '../../base/index.ts';
import { int } from '../../graph/index.ts';
import { elementwiseLoss, type Loss, positiveOption } from './loss.ts';

export interface HingeOptions {
  /** Default 1. */
  readonly margin?: number;
}

/**
 * max(0, margin − y · score), with y = 1 for label 1 and −1 for label 0: scores [batch] or [batch, labels], labels int64
 * of the same shape. Throws 'usage' for a margin that is not above 0.
 */
export function binaryHinge(options: HingeOptions = {}): Loss {
  const margin = positiveOption('binary hinge', 'margin', options.margin ?? 1);
  return elementwiseLoss('binary hinge', 'int64', (graph, scores, labels) => {
    const positive = graph.cast(labels, DATA_TYPES.float32.code);
    const sign = graph.sub(graph.mul(positive, graph.scalar(2, 'float32')), graph.scalar(1, 'float32'));
    return graph.op('Relu', [graph.sub(graph.scalar(margin, 'float32'), graph.mul(sign, scores))]);
  });
}

/**
 * The multi-class hinge loss of Weston and Watkins (1999): Σ over the other classes of max(0, margin − score of the label +
 * score of the class), divided by the number of classes as PyTorch's `multi_margin_loss` does. Scores [batch, classes],
 * labels int64 [batch]. Throws 'usage' for a margin that is not above 0, and 'shape' for scores of another rank.
 */
export function multiclassHinge(options: HingeOptions = {}): Loss {
  const name = 'multi-class hinge';
  const margin = positiveOption(name, 'margin', options.margin ?? 1);
  return {
    name,
    labels: (predictions) => {
      if (predictions.length !== 2) {
        throw new LatheError(
          'shape',
          `${name}: expected scores [batch, classes], got ${predictions.length} dimensions`,
        );
      }
      return { dtype: 'int64', shape: predictions.slice(0, 1) };
    },
    terms: (predictions) => predictions.slice(0, 1),
    build(graph, { predictions, labels }) {
      const ofLabel = graph.op('GatherElements', [predictions, graph.unsqueeze(labels, [1])], { axis: int(1) }); // [N, 1]
      const bound = graph.scalar(margin, 'float32');
      const violations = graph.op('Relu', [graph.add(graph.sub(predictions, ofLabel), bound)]); // [N, classes]
      // The label's own violation is the margin, whatever the scores: it is left out of the sum, and counts in its size.
      const own = graph.div(
        bound,
        graph.cast(graph.gather(graph.shape(predictions), graph.scalar(1, 'int64')), DATA_TYPES.float32.code),
      );
      return { losses: graph.sub(graph.reduceMean(violations, [1], false), own) };
    },
  };
}
