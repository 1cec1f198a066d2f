import { elementwiseLoss, type Loss, positiveOption } from './loss.ts';

/**
 * Huber's loss (1964): ½ e² for |e| ≤ delta, delta · (|e| − ½ delta) beyond, where e = prediction − label; labels float32
 * of the shape of the predictions. Throws 'usage' for a delta that is not above 0.
 */
export function huber(options: { /** Default 1. */ readonly delta?: number } = {}): Loss {
  const delta = positiveOption('Huber', 'delta', options.delta ?? 1);
  return elementwiseLoss('Huber', 'float32', (graph, predictions, labels) => {
    const distance = graph.op('Abs', [graph.sub(predictions, labels)]);
    // With c = min(|e|, delta), both branches are c · (|e| − c/2), and so are both gradients.
    const clipped = graph.op('Min', [distance, graph.scalar(delta, 'float32')]);
    return graph.mul(clipped, graph.sub(distance, graph.mul(clipped, graph.scalar(0.5, 'float32'))));
  });
}
