import type { Tensor } from '../base/index.ts';
import { GraphBuilder, type Model } from '../graph/index.ts';
import { parameter } from './parameter.ts';

/**
 * A linear classifier over sparse features (words, n-grams): Σⱼ weightⱼ · E[idⱼ] + bias, the baseline that a larger model
 * has to beat. Inputs `feature_ids` int64 and `feature_weights` float32, both [batch, features], with weight 0 for
 * padding; output `logits` [batch, labels]. Parameters `linear.weight` [vocabulary, labels] and `linear.bias` [labels]
 * start at zero, as the problem is convex.
 */
export function linearModel(options: {
  readonly vocabularySize: number;
  readonly labels: number;
  readonly weights?: ReadonlyMap<string, Tensor>;
}): Model {
  const { vocabularySize, labels } = options;
  const graph = new GraphBuilder();
  const build = {
    graph,
    form: 'inference',
    seed: 0,
    ...(options.weights && { weights: options.weights }),
  } as const;
  const ids = graph.input('feature_ids', 'int64', ['batch', 'features']);
  const amounts = graph.input('feature_weights', 'float32', ['batch', 'features']);
  const weight = parameter(build, 'linear.weight', [vocabularySize, labels], 'zeros');
  const bias = parameter(build, 'linear.bias', [labels], 'zeros');
  const rows = graph.gather(weight, ids); // [B, F, labels]
  const sums = graph.squeeze(graph.matMul(graph.unsqueeze(amounts, [1]), rows), [1]); // [B, 1, F] × [B, F, labels] → [B, labels]
  graph.output(graph.add(sums, bias), { dtype: 'float32', shape: ['batch', labels] }, 'logits');
  return graph.build({ name: 'linear' });
}
