import { intOf } from '../../../graph/index.ts';
import { type AxisRule, input, output } from '../axis-rule.ts';

/**
 * Weights are [outputs, inputs / groups, …]. With a group a channel, channels go alone and with them their group; with
 * fewer groups each of them gives up the same channel, so that they stay of one size.
 */
const convolution: AxisRule = ({ node, inputs }, ties) => {
  const groups = intOf(node, 'group', 1);
  ties.same(input(0, 0), output(0, 0));
  if (groups > 1 && inputs[0]![1] === groups) {
    ties.blocks(input(0, 1), input(1, 0));
  } else {
    ties.repeats(input(1, 1), input(0, 1));
    if (groups > 1) ties.everyNth(output(0, 1), groups);
  }
  ties.same(input(1, 0), output(0, 1));
  if (inputs[2] !== undefined) ties.same(input(2, 0), output(0, 1));
};

/** Weights are [inputs, outputs / groups, …]. */
const transposedConvolution: AxisRule = ({ node, inputs }, ties) => {
  const groups = intOf(node, 'group', 1);
  ties.same(input(0, 0), output(0, 0));
  ties.same(input(0, 1), input(1, 0));
  ties.repeats(input(1, 1), output(0, 1));
  if (groups > 1) ties.everyNth(input(0, 1), groups);
  if (inputs[2] !== undefined) ties.same(input(2, 0), output(0, 1));
};

/** A window moves over the axes behind batch and channels. */
const pooling: AxisRule = ({ outputs }, ties) => {
  for (const index of outputs.keys()) {
    ties.same(input(0, 0), output(index, 0));
    ties.same(input(0, 1), output(index, 1));
  }
};

/** Axes that are not made longer or shorter. */
const resize: AxisRule = ({ inputs, outputs }, ties) => {
  for (const axis of [0, 1]) {
    const [before, after] = [inputs[0]![axis], outputs[0]![axis]];
    if (before !== undefined && before === after) ties.same(input(0, axis), output(0, axis));
  }
};

export const CONVOLUTION = {
  AveragePool: pooling,
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  GlobalAveragePool: pooling,
  GlobalLpPool: pooling,
  GlobalMaxPool: pooling,
  GridSample: pooling,
  LpPool: pooling,
  MaxPool: pooling,
  Resize: resize,
  Upsample: resize,
} satisfies Record<string, AxisRule>;
