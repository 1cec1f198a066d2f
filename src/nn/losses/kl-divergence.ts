import { int, type Value } from '../../graph/index.ts';
import { type Loss, positiveOption } from './loss.ts';

/**
 * T² · KL(teacher ‖ student) at temperature T, as in distillation (Hinton, Vinyals and Dean, 2015): predictions are the
 * student's logits [batch, …, classes], labels the teacher's logits or probabilities, float32 of the same shape. T² keeps
 * gradients at one size whatever the temperature; probabilities are taken as they are. Throws 'usage' for a temperature
 * that is not above 0.
 */
export function klDivergence(
  options: {
    /** Default 1. */ readonly temperature?: number /** Default logits. */;
    readonly teacher?: 'logits' | 'probabilities';
  } = {},
): Loss {
  const temperature = positiveOption('KL divergence', 'temperature', options.temperature ?? 1);
  return {
    name: 'KL divergence',
    labels: (predictions) => ({ dtype: 'float32', shape: predictions }),
    terms: (predictions) => predictions.slice(0, -1),
    build(graph, { predictions, labels }) {
      const logProbabilities = (logits: Value): Value =>
        graph.op('LogSoftmax', [graph.mul(logits, graph.scalar(1 / temperature, 'float32'))], { axis: int(-1) });
      const student = logProbabilities(predictions);
      // p · log p is 0 at p = 0: the smallest normal number stands in for 0 under the logarithm.
      const given = options.teacher === 'probabilities';
      const logs = given
        ? graph.log(graph.op('Max', [labels, graph.scalar(2 ** -126, 'float32')]))
        : logProbabilities(labels);
      const probabilities = given ? labels : graph.exp(logs);
      const divergence = graph.reduceSum(graph.mul(probabilities, graph.sub(logs, student)), [-1], false);
      return { losses: graph.mul(divergence, graph.scalar(temperature ** 2, 'float32')) };
    },
  };
}
