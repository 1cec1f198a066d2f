import { LatheError } from '../../base/index.ts';
import { extendModel, GraphBuilder, type Model, tensorInfo } from '../../graph/index.ts';
import { type Pooling, pooled, unitVectors } from '../layers/pooling.ts';

export interface TextPairOptions {
  readonly pooling: Pooling;
  /**
   * `own`: the cosine of the two texts of each pair, [pairs]. `all`: the cosine of each first text with every second one of
   * the batch, times `scale`, [pairs, pairs]: logits whose labels are 0, 1, 2, …
   */
  readonly compare: 'own' | 'all';
  /** Default 20. */
  readonly scale?: number;
}

/**
 * The model that compares texts by their embeddings: an encoder (output `last_hidden_state` [batch, sequence, hidden]), which
 * runs once over the first texts of a batch of pairs and, behind them, the second ones. Its output is `logits`. Both texts go
 * through the same nodes, so that the encoder's parameters are there once, with one gradient.
 */
export function compareTextPairs(encoder: Model, { pooling, compare, scale = 20 }: TextPairOptions): Model {
  const [states] = encoder.graph.outputs;
  const hidden = states?.type?.kind === 'tensor' ? states.type.shape?.[2] : undefined;
  if (states?.name !== 'last_hidden_state' || typeof hidden !== 'number') {
    throw new LatheError('shape', 'text pairs: expected an encoder with the output last_hidden_state of a known width');
  }
  const opset = encoder.opsets.find(({ domain }) => domain === '')?.version;
  const graph = new GraphBuilder({ ...(opset !== undefined && { opset }), extending: encoder.graph });
  const vectors = unitVectors(graph, pooled(graph, states.name, 'attention_mask', pooling)); // [2 · pairs, hidden]
  const halves = graph.split(graph.reshape(vectors, graph.int64s([2, -1, hidden])), [1, 1], 0); // [1, pairs, hidden] each
  const [first, second] = halves.map((half) => graph.squeeze(half, [0])) as [string, string];
  const logits =
    compare === 'own'
      ? graph.reduceSum(graph.mul(first, second), [1], false)
      : graph.mul(graph.matMul(first, graph.transpose(second, [1, 0])), graph.scalar(scale, 'float32'));
  const shape = compare === 'own' ? ['pairs'] : ['pairs', 'pairs'];
  graph.output(logits, { dtype: 'float32', shape }, 'logits');
  return extendModel(encoder, graph, { outputs: [tensorInfo('logits', { dtype: 'float32', shape })] });
}
