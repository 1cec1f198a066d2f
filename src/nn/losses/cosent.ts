import { LatheError } from '../../base/index.ts';
import { int } from '../../graph/index.ts';
import { type Loss, positiveOption } from './loss.ts';

/**
 * CoSENT (Su, 2022) of similarities [batch] with labels float32 [batch]: log(1 + Σ exp(scale · (s_j − s_i))) over all i, j of
 * the batch with label_i > label_j. Only the order of the labels counts, not their size. It is one number a batch, which
 * counts as often as the batch has examples. Throws 'usage' for a scale that is not above 0.
 */
export function coSent(options: { /** Default 20. */ readonly scale?: number } = {}): Loss {
  const scale = positiveOption('CoSENT', 'scale', options.scale ?? 20);
  return {
    name: 'CoSENT',
    labels: (predictions) => {
      if (predictions.length === 1) return { dtype: 'float32', shape: predictions };
      throw new LatheError('shape', `CoSENT: expected similarities [batch], got ${predictions.length} dimensions`);
    },
    terms: (predictions) => predictions,
    build(graph, { predictions, labels }) {
      const differences = graph.sub(graph.unsqueeze(predictions, [0]), graph.unsqueeze(predictions, [1])); // [i, j]
      const ordered = graph.greater(graph.unsqueeze(labels, [1]), graph.unsqueeze(labels, [0]));
      const scaled = graph.mul(differences, graph.scalar(scale, 'float32'));
      const terms = graph.where(ordered, scaled, graph.scalar(UNORDERED, 'float32'));
      const row = graph.reshape(terms, graph.int64s([1, -1])); // [1, batch²]
      const withOne = graph.concat([graph.unsqueeze(graph.scalar(0, 'float32'), [0, 1]), row], 1);
      // log Σ exp x = x₀ − logSoftmax(x)₀, and x₀ is 0.
      const logSoftmax = graph.op('LogSoftmax', [withOne], { axis: int(1) });
      const loss = graph.reshape(graph.neg(graph.slice(logSoftmax, [0], [1], [1])), graph.int64s([1]));
      return { losses: graph.expand(loss, graph.shape(predictions)) };
    },
  };
}

/** Nothing is left of it behind exp. */
const UNORDERED = -1e4;
