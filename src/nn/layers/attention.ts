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
  /** float32, [batch, 1, 1, sequence] or with all heads and rows: added to the scores, 0 where a token may be seen. */
  readonly mask: Value;
}

/**
 * Multi-head attention of a sequence to itself (Vaswani et al., 2017), without the projection behind it. `x` is
 * [batch · sequence, hidden]: linear layers want two dimensions, so the tokens of a batch stay in one row each and only
 * attention itself sees the sequences. Gives [batch · sequence, hidden].
 *
 * With `first`, only the first token of each sequence looks at its sequence: gives [batch, hidden].
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
    /** `rows` [batch, hidden]; `split`, int64 [4]: batch, 1, heads, head size; `mask` for the first token alone. */
    readonly first?: { readonly rows: Value; readonly split: Value; readonly mask: Value };
  },
): Value {
  const { graph } = build;
  const { hidden, heads, shapes, initialization, first } = options;
  const headSize = hidden / heads;
  const project = (rows: Value, name: string, scale = 1): Value =>
    linear(build, rows, name, { inputs: hidden, outputs: hidden, initialization, scale }); // [B · T, hidden]
  const split = (rows: Value): Value => graph.reshape(rows, shapes.split); // [B, T, heads, headSize]
  const asked = project(first?.rows ?? x, names.query, 1 / Math.sqrt(headSize));
  const query = graph.transpose(first === undefined ? split(asked) : graph.reshape(asked, first.split), [0, 2, 1, 3]); // [B, heads, T or 1, headSize]
  const key = graph.transpose(split(project(x, names.key)), [0, 2, 3, 1]); // [B, heads, headSize, T]
  const value = graph.transpose(split(project(x, names.value)), [0, 2, 1, 3]); // [B, heads, T, headSize]
  const scores = graph.add(graph.matMul(query, key), first?.mask ?? shapes.mask); // [B, heads, T or 1, T]
  const probabilities = dropout(build, graph.softmax(scores), names.dropout, {
    probability: options.probability,
    shape: ['batch', heads, first === undefined ? 'sequence' : 1, 'sequence'],
  });
  const context = graph.transpose(graph.matMul(probabilities, value), [0, 2, 1, 3]); // [B, T or 1, heads, headSize]
  return graph.reshape(context, shapes.merged); // [B · T or B, hidden]
}
