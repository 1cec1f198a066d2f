import { LatheError, tensorFrom } from '../../base/index.ts';
import { elementwiseLoss, type Loss } from './loss.ts';

/**
 * Binary cross entropy of logits [batch] or [batch, labels] with labels float32 of the same shape, from 0 to 1, as
 * PyTorch's `binary_cross_entropy_with_logits` defines it. Throws 'usage' for a positive weight below 0.
 */
export function binaryCrossEntropy(
  options: {
    /** How much a positive example counts, for each label. */ readonly positiveWeights?: readonly number[];
  } = {},
): Loss {
  const { positiveWeights } = options;
  if (positiveWeights?.some((weight) => !(weight >= 0 && Number.isFinite(weight)))) {
    throw new LatheError(
      'usage',
      `binary cross entropy: positive weights should be 0 or more, got ${positiveWeights.join(', ')}`,
    );
  }
  return elementwiseLoss('binary cross entropy', 'float32', (graph, logits, labels) => {
    const one = graph.scalar(1, 'float32');
    // −log σ(x) is softplus(−x), which neither overflows nor has a kink.
    let negativeLogLikelihood = graph.op('Softplus', [graph.neg(logits)]);
    if (positiveWeights !== undefined) {
      const extra = graph.constant(
        tensorFrom(
          'float32',
          positiveWeights.map((weight) => weight - 1),
        ),
      );
      negativeLogLikelihood = graph.mul(negativeLogLikelihood, graph.add(graph.mul(labels, extra), one));
    }
    return graph.add(graph.mul(graph.sub(one, labels), logits), negativeLogLikelihood);
  });
}
