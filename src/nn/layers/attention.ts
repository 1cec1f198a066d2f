import type { Value } from '../../graph/index.ts';
import type { Build } from '../build.ts';
import type { Initialization } from '../initialization.ts';
import { dropout } from './dropout.ts';
import { linear } from './linear.ts';

/** What all attention layers of a model share, so that the graph computes it once. */
export interface AttentionShapes {
  /** int64 [4]: batch, sequence, heads, head size. */
  readonly split: Value;
  /** int64 [2]: −1, hidden size. */
  readonly merged: Value;
  /** float32 [batch, 1, 1, sequence]: added to the scores, 0 where a token may be seen. */
  readonly mask: Value;
}

/**
 * Multi-head attention of a sequence to itself (Vaswani et al., 2017), without the projection behind it. `x` is
 * [batch · sequence, hidden]: linear layers want two dimensions, so the tokens of a batch stay in one row each and only
 * attention itself sees the sequences. Gives [batch · sequence, hidden].
 */
export function selfAttention(
  build: Build,
  x: Value,
  names: { readonly query: string; readonly key: string; readonly value: string; readonly dropout: string },
  options: {
    readonly hidden: number;
    readonly heads: number;
    readonly shapes: AttentionShapes;
    readonly probability: number;
    readonly initialization: Initialization;
  },
): Value {
  const { graph } = build;
  const { hidden, heads, shapes, initialization } = options;
  const headSize = hidden / heads;
  const project = (name: string, scale: number): Value =>
    graph.reshape(linear(build, x, name, { inputs: hidden, outputs: hidden, initialization, scale }), shapes.split); // [B, T, heads, headSize]
  const query = graph.transpose(project(names.query, 1 / Math.sqrt(headSize)), [0, 2, 1, 3]); // [B, heads, T, headSize]
  const key = graph.transpose(project(names.key, 1), [0, 2, 3, 1]); // [B, heads, headSize, T]
  const value = graph.transpose(project(names.value, 1), [0, 2, 1, 3]); // [B, heads, T, headSize]
  const scores = graph.add(graph.matMul(query, key), shapes.mask); // [B, heads, T, T]
  const probabilities = dropout(build, graph.softmax(scores), names.dropout, {
    probability: options.probability,
    shape: ['batch', heads, 'sequence', 'sequence'],
  });
  const context = graph.transpose(graph.matMul(probabilities, value), [0, 2, 1, 3]); // [B, T, heads, headSize]
  return graph.reshape(context, shapes.merged); // [B · T, hidden]
}
