import { LatheError, tensorFrom } from '../../base/index.ts';
import { int } from '../../graph/index.ts';
import type { CrossEntropyOptions } from './cross-entropy.ts';
import type { Loss } from './loss.ts';

/**
 * Cross entropy of logits [batch, classes] with the share that each class has in a label, float32 [batch, classes], as
 * PyTorch's `cross_entropy` defines it for probabilities: the mean over the examples, class weights inside. For labels that are
 * mixed, or that another model gives.
 */
export function softCrossEntropy(options: Omit<CrossEntropyOptions, 'ignoreIndex'> = {}): Loss {
  const { classWeights, labelSmoothing = 0 } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new LatheError('usage', `soft cross entropy: label smoothing should be in [0, 1), got ${labelSmoothing}`);
  }
  return {
    name: 'soft cross entropy',
    labels: (predictions) => {
      const classes = predictions.at(-1);
      if (predictions.length !== 2 || typeof classes !== 'number') {
        throw new LatheError(
          'shape',
          'soft cross entropy: expected logits [batch, classes] of a known number of classes',
        );
      }
      if (classWeights !== undefined && classes !== classWeights.length) {
        throw new LatheError(
          'shape',
          `soft cross entropy: the model has ${classes} classes, got ${classWeights.length} class weights`,
        );
      }
      return { dtype: 'float32', shape: predictions };
    },
    terms: (predictions) => predictions.slice(0, 1),
    build(graph, { predictions, labels, shape }) {
      const classes = shape[1] as number;
      let shares = labels;
      if (labelSmoothing > 0) {
        const kept = graph.mul(labels, graph.scalar(1 - labelSmoothing, 'float32'));
        shares = graph.add(kept, graph.scalar(labelSmoothing / classes, 'float32'));
      }
      if (classWeights !== undefined) shares = graph.mul(shares, graph.constant(tensorFrom('float32', classWeights)));
      const terms = graph.mul(shares, graph.op('LogSoftmax', [predictions], { axis: int(-1) }));
      return {
        losses: graph.neg(
          graph.op('ReduceSum', [terms, graph.constant(tensorFrom('int64', [-1]))], { keepdims: int(0) }),
        ),
      };
    },
  };
}
