import { type GraphBuilder, int, type Value } from '../../graph/index.ts';

/** Projections of the tokens of a batch: [batch · sequence, width] or in another layout of these rows. */
export interface Relation {
  readonly from: Value;
  readonly to: Value;
  readonly width: number;
}

/**
 * KL(teacher ‖ student) of the relations of tokens, softmax(from · toᵀ / √width of a head), in the mean over heads and over the tokens
 * that are not padding (MiniLM; Wang et al., 2020): a scalar. Projections are cut anew into `heads` heads, so that student and
 * teacher need neither the same width nor the same heads; `mask` is float32 [batch, sequence], 1 for tokens.
 */
export function relationDistance(
  graph: GraphBuilder,
  student: Relation,
  teacher: Relation,
  { heads, mask }: { readonly heads: number; readonly mask: Value },
): Value {
  const shape = graph.shape(mask);
  const padding = graph.sub(graph.scalar(1, 'float32'), mask);
  const hidden = graph.unsqueeze(graph.mul(padding, graph.scalar(HIDDEN, 'float32')), [1, 2]); // [B, 1, 1, T]
  const logProbabilities = ({ from, to, width }: Relation): Value => {
    const size = width / heads;
    const split = graph.concat([shape, graph.int64s([heads, size])], 0);
    const cut = (x: Value, order: readonly number[]): Value => graph.transpose(graph.reshape(x, split), order);
    const product = graph.matMul(cut(from, [0, 2, 1, 3]), cut(to, [0, 2, 3, 1])); // [B, heads, T, T]
    const scores = graph.mul(product, graph.scalar(1 / Math.sqrt(size), 'float32'));
    return graph.op('LogSoftmax', [graph.add(scores, hidden)], { axis: int(-1) });
  };
  const [ours, theirs] = [logProbabilities(student), logProbabilities(teacher)];
  const divergence = graph.reduceSum(graph.mul(graph.exp(theirs), graph.sub(theirs, ours)), [3], false); // [B, heads, T]
  const ofTokens = graph.mul(graph.reduceMean(divergence, [1], false), mask); // [B, T]
  return graph.div(graph.reduceSum(ofTokens, [0, 1], false), graph.reduceSum(mask, [0, 1], false));
}

/** As in the encoders: nothing is left of it behind softmax. */
const HIDDEN = -10_000;
