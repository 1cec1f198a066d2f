import { DATA_TYPES } from '../../../base/dtype.ts';
import { tensorFrom } from '../../../base/tensor.ts';
import { floatOf, int, intOf } from '../../attributes.ts';
import type { Value } from '../../builder.ts';
import { withAttributes, withInput } from './attributes.ts';
import { first, type History, type Step, type StepContext, same, without, withoutConsumed } from './step.ts';

/** Before operator set 7 an attribute said whether a node infers or trains. */
const inferring: Step = (context) => {
  if (intOf(context.node, 'is_test', 0) === 0) throw context.refuse('is_test 0, which trains');
  return without('is_test')(context);
};

/** With `spatial` 0 each place of a channel had statistics of its own: the places are channels then. */
const spatial: Step = (context) => {
  const { node, build, rewriting } = context;
  const plain = without('spatial')(context);
  if (intOf(node, 'spatial', 1) !== 0) return plain;
  const [x, ...statistics] = node.inputs as [Value, ...Value[]];
  const inputs = [flat(context, x, 1), ...statistics.map((value) => build.reshape(value, build.int64s([-1])))];
  return rewriting({ ...plain, inputs }, 0, (value) => reshapedLike(context, value, x));
};

/** Whether a node trains was told by its outputs; since operator set 14 by an attribute, without the batch's own statistics. */
const training: Step = ({ node, reads, refuse }) => {
  const named = node.outputs.slice(1).some((name) => name !== '');
  if (!named) return { ...node, outputs: node.outputs.slice(0, 1) };
  if (reads(3) || reads(4)) throw refuse('saved_mean or saved_var, which are no outputs any more');
  return withAttributes({ ...node, outputs: node.outputs.slice(0, 3) }, { training_mode: int(1) });
};

/** The mask was of the element type of the input before operator set 10. */
const booleanMask: Step = ({ node, reads, typeOf, build, rewriting, refuse }) => {
  if (!reads(1)) return { ...node, outputs: node.outputs.slice(0, 1) };
  const dtype = typeOf(0)?.dtype;
  if (dtype === undefined) throw refuse('a mask of unknown element type');
  return rewriting(node, 1, (mask) => build.cast(mask, DATA_TYPES[dtype].code));
};

const ratio: Step = (context) => {
  const { node, build } = context;
  if (!node.attributes.has('ratio')) return node;
  const value = build.constant(tensorFrom('float32', floatOf(node, 'ratio', 0.5)), 'ratio');
  return withInput(without('ratio')(context), 1, value);
};

/** The axes from `axis` on were one before operator set 13; now it is that axis alone. */
const oneAxis: Step = (context) => {
  const { node, typeOf, rewriting } = context;
  const axis = intOf(node, 'axis', 1);
  const shape = typeOf(0)?.shape;
  const from = shape !== undefined && axis < 0 ? axis + shape.length : axis;
  const single = axis === -1 || shape?.slice(from + 1).every((dim) => dim === 1) === true;
  if (single && from < (shape?.length ?? Infinity)) return withAttributes(node, { axis: int(axis) });
  const x = node.inputs[0]!;
  const inputs = [flat(context, x, axis)];
  return rewriting(withAttributes({ ...node, inputs }, { axis: int(1) }), 0, (value) =>
    reshapedLike(context, value, x),
  );
};

/** In the shape of `like`, in which 0 means 0 (before operator set 14 it always means "as in the input"). */
function reshapedLike({ build, target }: StepContext, value: Value, like: Value): Value {
  return build.op('Reshape', [value, build.shape(like)], target < 14 ? {} : { allowzero: int(1) });
}

function flat({ build }: StepContext, x: Value, axis: number): Value {
  return build.op('Flatten', [x], { axis: int(axis) });
}

/** Scale and bias were one for each group before operator set 21; now one for each channel. */
const perChannel: Step = ({ node, build }) => {
  const groups = build.int64s([intOf(node, 'num_groups', 1)]);
  const channels = build.op('Shape', [node.inputs[0]!], { start: int(1), end: int(2) });
  const repeated = build.concat([build.int64s([1]), build.div(channels, groups)], 0);
  const spread = (value: Value): Value =>
    build.reshape(build.expand(build.unsqueeze(value, [1]), repeated), build.int64s([-1]));
  return { ...node, inputs: [node.inputs[0]!, ...node.inputs.slice(1).map(spread)] };
};

const SOFTMAX = { 1: first, 11: same, 13: oneAxis } as const;

export const NORMALIZATION = {
  BatchNormalization: {
    1: first,
    6: withoutConsumed,
    7: inferring,
    9: spatial,
    14: training,
    15: same,
  },
  Dropout: { 1: first, 6: withoutConsumed, 7: inferring, 10: booleanMask, 12: ratio, 13: same },
  GroupNormalization: { 18: first, 21: perChannel },
  Hardmax: SOFTMAX,
  InstanceNormalization: { 1: first, 6: withoutConsumed },
  LRN: { 1: first, 13: same },
  // ONNX Runtime has this one and SimplifiedLayerNormalization since operator set 1, and writes them into models that it
  // optimized.
  LayerNormalization: { 1: first, 17: same },
  LogSoftmax: SOFTMAX,
  LpNormalization: { 1: first },
  MeanVarianceNormalization: { 9: first, 13: same },
  NegativeLogLikelihoodLoss: { 12: first, 13: same },
  SimplifiedLayerNormalization: { 1: first },
  Softmax: SOFTMAX,
  SoftmaxCrossEntropyLoss: { 12: first, 13: same },
} satisfies Record<string, History>;
