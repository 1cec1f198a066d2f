import { elementwiseLoss, type Loss } from './loss.ts';

/** (prediction − label)², with labels float32 of the shape of the predictions. */
export function meanSquaredError(): Loss {
  return elementwiseLoss('mean squared error', 'float32', (graph, predictions, labels) => {
    const error = graph.sub(predictions, labels);
    return graph.mul(error, error);
  });
}
