import type { GraphBuilder, Value } from '../../graph/index.ts';

/** A linear layer from the student's width to the teacher's, one for all states (TinyBERT): weight [teacher, student], bias [teacher]. */
export interface StateProjection {
  readonly weight: Value;
  readonly bias: Value;
}

/**
 * The mean of (projected student's state − teacher's state)² over all tokens and elements: a scalar. States are [batch, sequence,
 * width] or [batch · sequence, width].
 */
export function hiddenDistance(
  graph: GraphBuilder,
  student: { readonly states: Value; readonly width: number },
  teacher: { readonly states: Value; readonly width: number },
  projection: StateProjection,
): Value {
  const rows = ({ states, width }: typeof student): Value => graph.reshape(states, graph.int64s([-1, width]));
  const projected = graph.gemm(rows(student), projection.weight, projection.bias, { b: true });
  const error = graph.sub(projected, rows(teacher));
  return graph.reduceMean(graph.mul(error, error), [0, 1], false);
}

/**
 * 1 − cosine of the student's and the teacher's state of a token, in the mean over the tokens that are not padding (DistilBERT): a
 * scalar. Both have the same width; `mask` is float32 [batch, sequence], 1 for tokens.
 */
export function cosineDistance(
  graph: GraphBuilder,
  student: Value,
  teacher: Value,
  { width, mask }: { readonly width: number; readonly mask: Value },
): Value {
  const rows = (states: Value): Value => graph.reshape(states, graph.int64s([-1, width])); // [B · T, width]
  const [x, y] = [rows(student), rows(teacher)];
  const dot = (one: Value, other: Value): Value => graph.reduceSum(graph.mul(one, other), [1], false);
  const lengths = graph.mul(graph.sqrt(dot(x, x)), graph.sqrt(dot(y, y)));
  const cosine = graph.div(dot(x, y), graph.op('Max', [lengths, graph.scalar(1e-8, 'float32')]));
  const counts = graph.reshape(mask, graph.int64s([-1]));
  const distance = graph.mul(graph.sub(graph.scalar(1, 'float32'), cosine), counts);
  return graph.div(graph.reduceSum(distance, [0], false), graph.reduceSum(counts, [0], false));
}
