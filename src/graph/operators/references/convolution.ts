import type { DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64 } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { formatDims, sizeOf } from '../../../base/shape.ts';
import type { Tensor } from '../../../base/tensor.ts';
import { intOf, intsOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { knownWindow, tapPositions, transposedWindow, windowOver } from '../window.ts';
import { required, sameTypes } from './inputs.ts';

type NumericType = Exclude<DataType, 'string'>;

export const CONVOLUTION = { Conv: conv, ConvTranspose: convTranspose } satisfies Record<string, Reference>;

/** y[n, o, p] = bias[o] + Σ x[n, c, p·stride + k·dilation - begin] w[o, c, k] over the channels c of o's group and taps k. */
function conv(context: ReferenceContext): readonly Tensor[] {
  const { x, w, group, kernel, sizes } = operands(context);
  const [batch, channels] = x.dims as readonly [number, number];
  const [produced, perGroup] = w.dims as readonly [number, number];
  if (perGroup * group !== channels || produced % group !== 0) throw misfit(x, w, group);
  const window = knownWindow(windowOver(context.node, kernel, sizes))!;
  const taps = tapPositions(window, sizes);
  const [inner, outer] = [sizeOf(sizes), sizeOf(window.places)];
  const out = started(context.inputs[2], batch, produced, outer);
  const values = float64Of(x);
  const weights = float64Of(w);
  for (let image = 0; image < batch; image++)
    for (let channel = 0; channel < produced; channel++) {
      const to = (image * produced + channel) * outer;
      const first = Math.floor(channel / (produced / group)) * perGroup;
      for (let own = 0; own < perGroup; own++) {
        const from = (image * channels + first + own) * inner;
        taps.forEach((positions, tap) => {
          const weight = weights[(channel * perGroup + own) * taps.length + tap]!;
          for (let place = 0; place < outer; place++) {
            const position = positions[place]!;
            if (position >= 0) out[to + place]! += weight * values[from + position]!;
          }
        });
      }
    }
  return [fromFloat64(x.dtype as NumericType, [batch, produced, ...window.places], out)];
}

/** The transpose of a convolution: each x[n, c, p] is added at p·stride + k·dilation - begin, times w[c, o, k]. */
function convTranspose(context: ReferenceContext): readonly Tensor[] {
  const { x, w, group, kernel, sizes } = operands(context);
  const [batch, channels] = x.dims as readonly [number, number];
  const perGroup = w.dims[1]!;
  const produced = perGroup * group;
  if (w.dims[0] !== channels || channels % group !== 0) throw misfit(x, w, group);
  const { window, outputs } = transposedWindow(context.node, kernel, sizes);
  const known = knownWindow(window)!;
  const dims = outputs as readonly number[];
  const taps = tapPositions(known, dims);
  const [inner, outer] = [sizeOf(sizes), sizeOf(dims)];
  const out = started(context.inputs[2], batch, produced, outer);
  const values = float64Of(x);
  const weights = float64Of(w);
  for (let image = 0; image < batch; image++)
    for (let channel = 0; channel < channels; channel++) {
      const from = (image * channels + channel) * inner;
      const first = Math.floor(channel / (channels / group)) * perGroup;
      for (let own = 0; own < perGroup; own++) {
        const to = (image * produced + first + own) * outer;
        taps.forEach((positions, tap) => {
          const weight = weights[(channel * perGroup + own) * taps.length + tap]!;
          for (let place = 0; place < inner; place++) {
            const position = positions[place]!;
            if (position >= 0) out[to + position]! += weight * values[from + place]!;
          }
        });
      }
    }
  return [fromFloat64(x.dtype as NumericType, [batch, produced, ...dims], out)];
}

function operands(context: ReferenceContext) {
  const x = required(context, 0);
  const w = required(context, 1);
  sameTypes([x, w]);
  if (x.dims.length < 3 || w.dims.length !== x.dims.length)
    throw new LatheError(
      'shape',
      `expected [batch, channels, ...] and weights of as many dimensions, got ${formatDims(x.dims)} and ${formatDims(w.dims)}`,
    );
  const kernel = w.dims.slice(2);
  const declared = intsOf(context.node, 'kernel_shape');
  if (declared !== undefined && formatDims(declared) !== formatDims(kernel))
    throw new LatheError('shape', `kernel_shape is ${formatDims(declared)}, the weights are ${formatDims(w.dims)}`);
  return { x, w, group: intOf(context.node, 'group', 1), kernel, sizes: x.dims.slice(2) };
}

function misfit(x: Tensor, w: Tensor, group: number): LatheError {
  return new LatheError(
    'shape',
    `channels do not fit: input ${formatDims(x.dims)}, weights ${formatDims(w.dims)}, ${group} groups`,
  );
}

/** The output before any product: the bias of its channel everywhere, or zeros. */
function started(bias: Tensor | undefined, batch: number, channels: number, size: number): Float64Array {
  const out = new Float64Array(batch * channels * size);
  if (bias === undefined) return out;
  if (formatDims(bias.dims) !== `[${channels}]`)
    throw new LatheError('shape', `the bias ${formatDims(bias.dims)} does not fit ${channels} channels`);
  const values = float64Of(bias);
  for (let row = 0; row < batch * channels; row++) out.fill(values[row % channels]!, row * size, (row + 1) * size);
  return out;
}
