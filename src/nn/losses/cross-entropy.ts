import { DATA_TYPES, LatheError, tensorFrom } from '../../base/index.ts';
import { int } from '../../graph/index.ts';
import type { Loss } from './loss.ts';

export interface CrossEntropyOptions {
  /** A weight for each class. */
  readonly classWeights?: readonly number[];
  /** In [0, 1): how much of the target goes to all classes alike (Szegedy et al., 2015). Default 0. */
  readonly labelSmoothing?: number;
  /** Labels of this value do not count. Default −100. */
  readonly ignoreIndex?: number;
}

/**
 * Cross entropy of logits [batch, …, classes] with labels int64 [batch, …], as PyTorch's `cross_entropy` defines it,
 * class weights and label smoothing included. Throws 'usage' for options out of range.
 */
export function crossEntropy(options: CrossEntropyOptions = {}): Loss {
  const { classWeights, labelSmoothing = 0, ignoreIndex = -100 } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new LatheError('usage', `cross entropy: label smoothing should be in [0, 1), got ${labelSmoothing}`);
  }
  if (classWeights?.some((weight) => !(weight >= 0 && Number.isFinite(weight)))) {
    throw new LatheError('usage', `cross entropy: class weights should be 0 or more, got ${classWeights.join(', ')}`);
  }
  return {
    name: 'cross entropy',
    labels: (predictions) => {
      const classes = predictions.at(-1);
      if (predictions.length < 2) {
        throw new LatheError(
          'shape',
          `cross entropy: expected logits [batch, …, classes], got ${predictions.length} dimensions`,
        );
      }
      if (classWeights !== undefined && typeof classes === 'number' && classes !== classWeights.length) {
        throw new LatheError(
          'shape',
          `cross entropy: the model has ${classes} classes, got ${classWeights.length} class weights`,
        );
      }
      return { dtype: 'int64', shape: predictions.slice(0, -1) };
    },
    terms: (predictions) => predictions.slice(0, -1),
    build(graph, { predictions, labels }) {
      const logProbabilities = graph.op('LogSoftmax', [predictions], { axis: int(-1) });
      const counts = graph.op('Not', [graph.equal(labels, graph.scalar(ignoreIndex, 'int64'))]);
      const safe = graph.where(counts, labels, graph.scalar(0, 'int64'));
      const present = graph.cast(counts, DATA_TYPES.float32.code);
      const picked = graph.squeeze(
        graph.op('GatherElements', [logProbabilities, graph.unsqueeze(safe, [-1])], { axis: int(-1) }),
        [-1],
      );
      const table = classWeights && graph.constant(tensorFrom('float32', classWeights)); // [classes]
      const weights = table === undefined ? present : graph.mul(present, graph.gather(table, safe));
      const losses = graph.mul(graph.neg(picked), weights);
      if (labelSmoothing === 0) return { losses, weights };
      // The mean over the classes, each times its own weight: as in PyTorch, the label's weight is not a factor here.
      const weighted = table === undefined ? logProbabilities : graph.mul(logProbabilities, table);
      const spread = graph.mul(graph.neg(graph.reduceMean(weighted, [-1], false)), present);
      return {
        losses: graph.add(
          graph.mul(losses, graph.scalar(1 - labelSmoothing, 'float32')),
          graph.mul(spread, graph.scalar(labelSmoothing, 'float32')),
        ),
        weights,
      };
    },
  };
}
