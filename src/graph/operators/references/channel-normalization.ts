import type { DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64 } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { formatDims, normalizeAxis, sizeOf } from '../../../base/shape.ts';
import type { Tensor } from '../../../base/tensor.ts';
import { floatOf, intOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required } from './inputs.ts';
import { mapLines } from './normalization.ts';
import { linesAlong } from './positions.ts';

type NumericType = Exclude<DataType, 'string'>;

export const CHANNEL_NORMALIZATION = {
  BatchNormalization: batchNormalization,
  GroupNormalization: (context) => {
    const groups = intOf(context.node, 'num_groups', 0);
    return groupNormalization(context, groups, context.opset < 21 ? groups : undefined);
  },
  InstanceNormalization: (context) => groupNormalization(context, undefined, undefined),
  LRN: localResponseNormalization,
  LpNormalization: lpNormalization,
} satisfies Record<string, Reference>;

/**
 * (x - mean) / √(variance + epsilon) · scale + bias for each channel, with the given statistics, or in training mode with
 * those of the batch, which then also move the running ones: old · momentum + batch · (1 - momentum).
 */
function batchNormalization(context: ReferenceContext): readonly Tensor[] {
  const { node, opset } = context;
  const x = required(context, 0);
  const dims = x.dims.length > 1 ? x.dims : [x.dims[0] ?? 1, 1];
  const channels = dims[1]!;
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((index) => {
    const value = required(context, index);
    if (sizeOf(value.dims) !== channels)
      throw new LatheError('shape', `input ${index} ${formatDims(value.dims)} does not fit ${channels} channels`);
    return float64Of(value);
  }) as [Float64Array, Float64Array, Float64Array, Float64Array];
  if (opset < 9 && intOf(node, 'spatial', 1) === 0)
    throw new LatheError('unsupported', 'attribute "spatial" = 0: expected one mean and variance a channel');
  const training = intOf(node, 'training_mode', 0) !== 0;
  if (opset < 14 && node.outputs.filter((name) => name !== '').length > 1)
    throw new LatheError('unsupported', `training mode of operator set ${opset}: expected 14 or newer`);
  const epsilon = floatOf(node, 'epsilon', Math.fround(1e-5));
  const { starts, offsets } = linesAlong(dims, [1]); // starts: positions in one channel, offsets: channels
  const values = float64Of(x);
  const means = training
    ? Float64Array.from(
        offsets,
        (offset) => starts.reduce((total, at) => total + values[at + offset]!, 0) / starts.length,
      )
    : mean;
  const variances = training
    ? Float64Array.from(
        offsets,
        (offset, channel) =>
          starts.reduce((total, at) => total + (values[at + offset]! - means[channel]!) ** 2, 0) / starts.length,
      )
    : variance;
  const out = new Float64Array(values.length);
  offsets.forEach((offset, channel) => {
    const factor = scale[channel]! / Math.sqrt(variances[channel]! + epsilon);
    for (const at of starts) out[at + offset] = (values[at + offset]! - means[channel]!) * factor + bias[channel]!;
  });
  const y = fromFloat64(x.dtype as NumericType, x.dims, out);
  if (!training) return [y];
  const momentum = floatOf(node, 'momentum', Math.fround(0.9));
  const moved = (index: number, batch: Float64Array): Tensor => {
    const old = required(context, index);
    const next = float64Of(old).map((value, channel) => value * momentum + batch[channel]! * (1 - momentum));
    return fromFloat64(old.dtype as NumericType, old.dims, next);
  };
  return [y, moved(3, means), moved(4, variances)];
}

/** The same for each image and group of channels; scale and bias are those of the channel, or of its group. */
function groupNormalization(
  context: ReferenceContext,
  given: number | undefined,
  parameters: number | undefined,
): readonly Tensor[] {
  const { node } = context;
  const x = required(context, 0);
  const [batch, channels, ...sizes] = x.dims as [number, number, ...number[]];
  const groups = given ?? channels;
  if (groups < 1 || channels % groups !== 0)
    throw new LatheError('shape', `attribute "num_groups" is ${groups}: it does not divide the ${channels} channels`);
  const [scale, bias] = [1, 2].map((index) => {
    const value = required(context, index);
    if (sizeOf(value.dims) !== (parameters ?? channels))
      throw new LatheError(
        'shape',
        `input ${index}: expected ${parameters ?? channels} elements, got ${formatDims(value.dims)}`,
      );
    return float64Of(value);
  }) as [Float64Array, Float64Array];
  const epsilon = floatOf(node, 'epsilon', Math.fround(1e-5));
  const values = float64Of(x);
  const out = new Float64Array(values.length);
  const inner = sizeOf(sizes);
  const width = (channels / groups) * inner;
  for (let line = 0; line < batch * groups; line++) {
    const own = values.subarray(line * width, (line + 1) * width);
    const mean = own.reduce((total, value) => total + value, 0) / width;
    const variance = own.reduce((total, value) => total + (value - mean) ** 2, 0) / width;
    const inverse = 1 / Math.sqrt(variance + epsilon);
    own.forEach((value, at) => {
      const channel = (line % groups) * (channels / groups) + Math.floor(at / inner);
      const parameter = parameters === undefined ? channel : line % groups;
      out[line * width + at] = (value - mean) * inverse * scale[parameter]! + bias[parameter]!;
    });
  }
  return [fromFloat64(x.dtype as NumericType, x.dims, out)];
}

/** x divided by its norm along an axis; zeros where the norm is 0. */
function lpNormalization(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const p = intOf(context.node, 'p', 2);
  if (p !== 1 && p !== 2) throw new LatheError('invalid-model', `attribute "p" is ${p}: expected 1 or 2`);
  const axis = normalizeAxis(intOf(context.node, 'axis', -1), x.dims.length);
  return [
    mapLines(x, linesAlong(x.dims, [axis]), (values, start, offsets, out) => {
      let total = 0;
      for (const offset of offsets) total += p === 1 ? Math.abs(values[start + offset]!) : values[start + offset]! ** 2;
      const norm = p === 1 ? total : Math.sqrt(total);
      for (const offset of offsets) out[start + offset] = norm === 0 ? 0 : values[start + offset]! / norm;
    }),
  ];
}

/** x / (bias + alpha/size · Σ x²)^beta, the sum over `size` neighbouring channels. */
function localResponseNormalization(context: ReferenceContext): readonly Tensor[] {
  const { node } = context;
  const x = required(context, 0);
  const size = intOf(node, 'size', 0);
  if (size < 1) throw new LatheError('invalid-model', `attribute "size" is ${size}: expected 1 or more`);
  const [alpha, beta, bias] = [
    floatOf(node, 'alpha', Math.fround(1e-4)),
    floatOf(node, 'beta', 0.75),
    floatOf(node, 'bias', 1),
  ];
  const before = Math.floor((size - 1) / 2);
  const behind = Math.ceil((size - 1) / 2);
  return [
    mapLines(x, linesAlong(x.dims, [1]), (values, start, offsets, out) => {
      offsets.forEach((offset, channel) => {
        let total = 0;
        for (let at = Math.max(0, channel - before); at <= Math.min(offsets.length - 1, channel + behind); at++)
          total += values[start + offsets[at]!]! ** 2;
        out[start + offset] = values[start + offset]! / (bias + (alpha / size) * total) ** beta;
      });
    }),
  ];
}
