import type { GraphBuilder, Value } from '../../graph/index.ts';

/**
 * The mean of (student's − teacher's)² over attention scores before the softmax (TinyBERT): a scalar. Scores are [batch, heads,
 * sequence, sequence], without the mask's term; `mask` is float32 [batch, sequence], 1 for tokens: scores of padding are 0 in
 * both, whatever their sign. Where the numbers of heads differ, their means over the heads are compared.
 */
export function attentionDistance(
  graph: GraphBuilder,
  student: { readonly scores: Value; readonly heads: number },
  teacher: { readonly scores: Value; readonly heads: number },
  mask: Value,
): Value {
  const compared = ({ scores, heads }: typeof student): Value =>
    heads === student.heads && heads === teacher.heads ? scores : graph.reduceMean(scores, [1], true);
  const difference = graph.mul(graph.sub(compared(student), compared(teacher)), graph.unsqueeze(mask, [1, 2]));
  return graph.reduceMean(graph.mul(difference, difference), [0, 1, 2, 3], false);
}
