import { normalizeAxis } from '../../../base/index.ts';
import { intOf } from '../../../graph/index.ts';
import { type AxisContext, type AxisRule, input, output, type Ties } from '../axis-rule.ts';

/** Channels are axis 1, and every input but the first has one element for each. */
const channels: AxisRule = ({ inputs, outputs }, ties) => {
  for (const axis of inputs[0]!.keys()) ties.same(input(0, axis), output(0, axis));
  for (let index = 1; index < inputs.length; index++)
    if (inputs[index] !== undefined) ties.same(input(index, 0), output(0, 1));
  // Running statistics, in the form for training.
  for (let index = 1; index < outputs.length; index++)
    if (outputs[index] !== undefined) ties.same(output(index, 0), output(0, 1));
};

const instance: AxisRule = (context, ties) => {
  channels(context, ties);
  for (let axis = 2; axis < context.inputs[0]!.length; axis++) ties.statistic(input(0, axis));
};

const layer: AxisRule = ({ node, inputs, outputs }, ties) => {
  const rank = inputs[0]!.length;
  const first = normalizeAxis(intOf(node, 'axis', -1), rank);
  for (let axis = 0; axis < rank; axis++) {
    ties.same(input(0, axis), output(0, axis));
    if (axis < first) {
      for (let index = 1; index < outputs.length; index++)
        if (outputs[index] !== undefined) ties.same(input(0, axis), output(index, axis));
      continue;
    }
    ties.statistic(input(0, axis));
    for (const index of [1, 2]) {
      const shape = inputs[index];
      if (shape !== undefined) ties.same(input(index, axis - rank + shape.length), output(0, axis));
    }
  }
};

/** Every group gives up the same channel, so that groups stay of one size. */
const group: AxisRule = ({ node, inputs }, ties) => {
  const groups = intOf(node, 'num_groups', 1);
  ties.same(input(0, 0), output(0, 0));
  ties.same(input(0, 1), output(0, 1));
  ties.everyNth(input(0, 1), groups);
  ties.statistic(input(0, 1));
  for (const index of [1, 2]) if (inputs[index]![0] === inputs[0]![1]) ties.same(input(index, 0), input(0, 1));
};

/** All axes but the one that the operator computes over; before operator set 13 that was all from there on. */
function othersThan(axis: (context: AxisContext) => number, whole = false) {
  return (context: AxisContext, ties: Ties): void => {
    const rank = context.inputs[0]!.length;
    const along = normalizeAxis(axis(context), rank);
    for (let at = 0; at < rank; at++) {
      if (at === along || (whole && context.opset < 13 && at > along)) continue;
      ties.same(input(0, at), output(0, at));
    }
  };
}

const softmax = othersThan(({ node, opset }) => intOf(node, 'axis', opset < 13 ? 1 : -1), true);

/** A vector over its length: what is zero adds nothing to that. */
const length: AxisRule = ({ inputs }, ties) => {
  for (const axis of inputs[0]!.keys()) ties.same(input(0, axis), output(0, axis));
};

export const NORMALIZATION = {
  BatchNormalization: channels,
  GroupNormalization: group,
  Hardmax: softmax,
  InstanceNormalization: instance,
  LRN: othersThan(() => 1),
  LayerNormalization: layer,
  LogSoftmax: softmax,
  LpNormalization: length,
  Softmax: softmax,
} satisfies Record<string, AxisRule>;
