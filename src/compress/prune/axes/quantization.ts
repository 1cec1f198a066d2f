import { intOf } from '../../../graph/index.ts';
import { type AxisRule, input, output } from '../axis-rule.ts';

/** Scales and zero points are one, or one an index of `axis`; by blocks they keep all. */
const scaled: AxisRule = ({ node, inputs }, ties) => {
  if (intOf(node, 'block_size', 0) !== 0) return;
  const rank = inputs[0]!.length;
  const given = intOf(node, 'axis', 1);
  const along = given < 0 ? given + rank : given;
  for (const axis of inputs[0]!.keys()) ties.same(input(0, axis), output(0, axis));
  for (const index of [1, 2]) if (inputs[index]?.length === 1) ties.same(input(index, 0), input(0, along));
};

export const QUANTIZATION = { DequantizeLinear: scaled, QuantizeLinear: scaled } satisfies Record<string, AxisRule>;
