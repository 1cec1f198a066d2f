import { type GraphBuilder, int, type Value } from '../../graph/index.ts';

/**
 * τ² · KL(teacher ‖ student) of where each channel looks, a softmax over the places of a map at temperature τ, in the mean over the
 * channels and the batch (CWD; Shu et al., 2021): a scalar. Maps are [batch, channels, …], of the same shape.
 */
export function channelDistance(
  graph: GraphBuilder,
  student: Value,
  teacher: Value,
  { temperature }: { readonly temperature: number },
): Value {
  const logProbabilities = (map: Value): Value => {
    const places = graph.reshape(map, graph.int64s([0, 0, -1])); // [B, C, places]
    return graph.op('LogSoftmax', [graph.mul(places, graph.scalar(1 / temperature, 'float32'))], { axis: int(-1) });
  };
  const [ours, theirs] = [logProbabilities(student), logProbabilities(teacher)];
  const divergence = graph.reduceSum(graph.mul(graph.exp(theirs), graph.sub(theirs, ours)), [2], false); // [B, C]
  return graph.mul(graph.reduceMean(divergence, [0, 1], false), graph.scalar(temperature ** 2, 'float32'));
}
