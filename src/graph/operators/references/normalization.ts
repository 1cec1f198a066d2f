import { type DataType, dataTypeOf } from '../../../base/dtype.ts';
import { float64Of, fromFloat64, integersOf } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { normalizeAxis } from '../../../base/shape.ts';
import { type Tensor, tensor } from '../../../base/tensor.ts';
import { floatOf, intOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required } from './inputs.ts';
import { ascending, broadcastPositions, type Lines, linesAlong } from './positions.ts';
import { logSumExp, reducedDims, sum } from './reduction.ts';

type NumericType = Exclude<DataType, 'string'>;

export const NORMALIZATION = {
  Dropout: dropout,
  Hardmax: alongAxis((values, start, offsets, out) => {
    let best = 0;
    for (let k = 1; k < offsets.length; k++)
      if (values[start + offsets[k]!]! > values[start + offsets[best]!]!) best = k;
    if (offsets.length > 0) out[start + offsets[best]!] = 1;
  }),
  LayerNormalization: layerNormalization,
  LogSoftmax: alongAxis((values, start, offsets, out) => {
    const total = logSumExp(values, start, offsets);
    for (let k = 0; k < offsets.length; k++) out[start + offsets[k]!] = values[start + offsets[k]!]! - total;
  }),
  Softmax: alongAxis((values, start, offsets, out) => {
    const total = logSumExp(values, start, offsets);
    for (let k = 0; k < offsets.length; k++) out[start + offsets[k]!] = Math.exp(values[start + offsets[k]!]! - total);
  }),
} satisfies Record<string, Reference>;

type LineKernel = (values: Float64Array, start: number, offsets: Int32Array, out: Float64Array) => void;

/** Along one axis (the last by default); before operator set 13 along `axis` (1 by default) and all that follow. */
function alongAxis(kernel: LineKernel): Reference {
  return (context) => {
    const x = required(context, 0);
    const rank = x.dims.length;
    const flattens = context.opset < 13;
    const given = intOf(context.node, 'axis', flattens ? 1 : -1);
    const axis = flattens && given === rank ? given : normalizeAxis(given, rank);
    const axes = flattens ? x.dims.map((_, index) => index).filter((index) => index >= axis) : [axis];
    return [mapLines(x, linesAlong(x.dims, axes), kernel)];
  };
}

export function mapLines(x: Tensor, { starts, offsets }: Lines, kernel: LineKernel): Tensor {
  const values = float64Of(x);
  const out = new Float64Array(values.length);
  for (const start of starts) kernel(values, start, offsets, out);
  return fromFloat64(x.dtype as NumericType, x.dims, out);
}

/** (x − mean) / √(variance + epsilon) · scale + bias over `axis` and all that follow; also the mean and 1/√(…). */
function layerNormalization(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const scale = required(context, 1);
  const bias = context.inputs[2];
  const { node } = context;
  const epsilon = floatOf(node, 'epsilon', Math.fround(1e-5));
  const axis = normalizeAxis(intOf(node, 'axis', -1), x.dims.length);
  const axes = x.dims.map((_, index) => index).filter((index) => index >= axis);
  const { starts, offsets } = linesAlong(x.dims, axes);
  const values = float64Of(x);
  const along = x.dims.slice(axis);
  const scales = float64Of(scale);
  const biases = bias && float64Of(bias);
  const scaleAt = broadcastPositions(scale.dims, along) ?? ascending(offsets.length);
  const biasAt = bias && (broadcastPositions(bias.dims, along) ?? ascending(offsets.length));
  const out = new Float64Array(values.length);
  const means = new Float64Array(starts.length);
  const inverses = new Float64Array(starts.length);
  starts.forEach((start, line) => {
    const mean = sum(values, start, offsets) / offsets.length;
    let variance = 0;
    for (const offset of offsets) variance += (values[start + offset]! - mean) ** 2;
    const inverse = 1 / Math.sqrt(variance / offsets.length + epsilon);
    offsets.forEach((offset, k) => {
      const normalized = (values[start + offset]! - mean) * inverse * scales[scaleAt[k]!]!;
      out[start + offset] = biases === undefined ? normalized : normalized + biases[biasAt![k]!]!;
    });
    means[line] = mean;
    inverses[line] = inverse;
  });
  const code = intOf(node, 'stash_type', 1);
  const stash = dataTypeOf(code);
  if (stash === undefined || stash === 'string') throw new LatheError('invalid-model', `"stash_type" is ${code}`);
  const lineDims = reducedDims(x.dims, axes, true);
  return [
    fromFloat64(x.dtype as NumericType, x.dims, out),
    fromFloat64(stash, lineDims, means),
    fromFloat64(stash, lineDims, inverses),
  ];
}

/**
 * The identity, with a mask of ones. Dropping for real is refused: which elements fall is the runtime's own stream of
 * random numbers, so that there is nothing to be a reference for.
 */
function dropout(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const { node, opset } = context;
  const given = context.inputs[1];
  const ratio = opset >= 12 ? ((given && float64Of(given)[0]) ?? 0.5) : floatOf(node, 'ratio', 0.5);
  const mode = context.inputs[2];
  const training =
    opset >= 12 ? mode !== undefined && integersOf(mode)[0] !== 0n : opset < 7 && intOf(node, 'is_test', 0) === 0;
  if (training && ratio > 0)
    throw new LatheError(
      'unsupported',
      `training mode with ratio ${ratio}: the random numbers are the runtime's, so that there is no reference`,
      { hint: 'Set training_mode to false, or the ratio to 0.' },
    );
  const ones = new Float64Array(float64Of(x).length).fill(1);
  // The mask had the type of the data before operator set 10.
  const mask =
    opset >= 10 ? tensor('bool', x.dims, Uint8Array.from(ones)) : fromFloat64(x.dtype as NumericType, x.dims, ones);
  return [x, mask];
}
