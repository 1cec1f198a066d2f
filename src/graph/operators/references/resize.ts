import type { DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64 } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { normalizeAxis, sizeOf } from '../../../base/shape.ts';
import { numbersOf, type Tensor } from '../../../base/tensor.ts';
import { floatOf, floatsOf, intOf, intsOf, stringOf } from '../../attributes.ts';
import type { Node } from '../../ir.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required } from './inputs.ts';

/** Interpolation is one axis after the other: each output along an axis is a weighted sum of a few inputs. */
const resize: Reference = (context) => {
  const x = required(context, 0);
  const axes = axesOf(context, x);
  const extrapolation = floatOf(context.node, 'extrapolation_value', 0);
  let values = float64Of(x);
  const dims = [...x.dims];
  for (const axis of axes) {
    const size = axis.size;
    if (size === dims[axis.index] && axis.scale === 1 && axis.roi === undefined) continue;
    const taps = Array.from({ length: size }, (_, place) => tapsOf(context, axis, place));
    values = along(values, dims, axis.index, taps, extrapolation);
    dims[axis.index] = size;
  }
  return [fromFloat64(x.dtype as Exclude<DataType, 'string'>, dims, values === float64Of(x) ? values.slice() : values)];
};

interface Axis {
  readonly index: number;
  readonly length: number;
  readonly size: number;
  readonly scale: number;
  /** Start and end, in tf_crop_and_resize. */
  readonly roi: readonly [number, number] | undefined;
}

function axesOf(context: ReferenceContext, x: Tensor): readonly Axis[] {
  const { node, opset, inputs } = context;
  const rank = x.dims.length;
  const axes = (intsOf(node, 'axes') ?? x.dims.map((_, axis) => axis)).map((axis) => normalizeAxis(axis, rank));
  const recent = opset >= 11;
  const lengths = axes.map((axis) => x.dims[axis]!);
  const given = recent ? inputs[3] : undefined;
  const crop = stringOf(node, 'coordinate_transformation_mode', 'half_pixel') === 'tf_crop_and_resize';
  const roi = crop && recent && inputs[1] !== undefined ? float64Of(inputs[1]) : undefined;
  const roiOf = (k: number): readonly [number, number] | undefined => roi && [roi[k]!, roi[axes.length + k]!];
  if (given !== undefined) {
    const sizes = numbersOf(given);
    const ratios = sizes.map((size, k) => size / lengths[k]!);
    const policy = stringOf(node, 'keep_aspect_ratio_policy', 'stretch');
    const ratio = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
    return axes.map((index, k) =>
      policy === 'stretch'
        ? { index, length: lengths[k]!, size: sizes[k]!, scale: ratios[k]!, roi: roiOf(k) }
        : { index, length: lengths[k]!, size: Math.floor(ratio * lengths[k]! + 0.5), scale: ratio, roi: roiOf(k) },
    );
  }
  const input = inputs[recent ? 2 : 1];
  const scales = floatsOf(node, 'scales') ?? (input && Array.from(float64Of(input)));
  if (scales?.length !== axes.length)
    throw new LatheError('shape', `expected ${axes.length} scales or sizes, got ${scales?.length ?? 'none'}`);
  return axes.map((index, k) => {
    const scale = Math.fround(scales[k]!);
    return { index, length: lengths[k]!, size: Math.floor(Math.fround(lengths[k]! * scale)), scale, roi: roiOf(k) };
  });
}

/** The inputs of one output place, with their weights; undefined outside of the region that is cropped. */
type Taps = readonly (readonly [index: number, weight: number])[] | undefined;

function tapsOf(context: ReferenceContext, axis: Axis, place: number): Taps {
  const { node, opset } = context;
  const { length, scale } = axis;
  const x = opset < 11 ? place / scale : coordinateOf(node, axis, place);
  if (axis.roi !== undefined && (x < 0 || x > length - 1)) return undefined;
  const clamp = (index: number): number => Math.min(length - 1, Math.max(0, index));
  const mode = stringOf(node, 'mode', 'nearest');
  if (mode === 'nearest') return [[clamp(nearest(node, opset, x, scale)), 1]];
  const stretch = intOf(node, 'antialias', 0) !== 0 ? Math.min(scale, 1) : 1;
  const weigh = mode === 'cubic' ? cubic(floatOf(node, 'cubic_coeff_a', -0.75)) : triangle;
  const reach = mode === 'cubic' ? 2 : 1;
  const base = Math.floor(x);
  const first = Math.floor(-reach / stretch) + 1;
  const outside = (index: number): boolean => index < 0 || index >= length;
  const excluded = intOf(node, 'exclude_outside', 0) !== 0;
  const taps: [number, number][] = [];
  for (let offset = first; offset <= 1 - first; offset++) {
    const index = base + offset;
    const weight = weigh(stretch * (index - x));
    if (!excluded || !outside(index)) taps.push([clamp(index), weight]);
  }
  const total = excluded || stretch !== 1 ? taps.reduce((sum, [, weight]) => sum + weight, 0) : 1;
  return taps.map(([index, weight]) => [index, weight / total]);
}

function coordinateOf(node: Node, { length, size, scale, roi }: Axis, place: number): number {
  const mode = stringOf(node, 'coordinate_transformation_mode', 'half_pixel');
  const resized = scale * length;
  switch (mode) {
    case 'half_pixel':
    case 'tf_half_pixel_for_nn':
      return (place + 0.5) / scale - (mode === 'half_pixel' ? 0.5 : 0);
    case 'half_pixel_symmetric':
      return (length / 2) * (1 - size / resized) + (place + 0.5) / scale - 0.5;
    case 'pytorch_half_pixel':
      return size > 1 ? (place + 0.5) / scale - 0.5 : 0;
    case 'align_corners':
      return resized === 1 ? 0 : (place * (length - 1)) / (resized - 1);
    case 'asymmetric':
      return place / scale;
    case 'tf_crop_and_resize': {
      if (roi === undefined) throw new LatheError('invalid-model', 'tf_crop_and_resize needs the input "roi"');
      const [start, end] = roi;
      if (resized === 1) return 0.5 * (start + end) * (length - 1);
      return start * (length - 1) + (place * (end - start) * (length - 1)) / (resized - 1);
    }
    default:
      throw new LatheError('invalid-model', `attribute "coordinate_transformation_mode": "${mode}" is not known`);
  }
}

/** Before operator set 11: downwards where it grows, upwards where it shrinks, as ONNX Runtime does. */
function nearest(node: Node, opset: number, x: number, scale: number): number {
  if (opset < 11) return scale < 1 ? Math.ceil(x) : Math.floor(x);
  const mode = stringOf(node, 'nearest_mode', 'round_prefer_floor');
  switch (mode) {
    case 'round_prefer_floor':
      return Math.ceil(x - 0.5);
    case 'round_prefer_ceil':
      return Math.floor(x + 0.5);
    case 'floor':
      return Math.floor(x);
    case 'ceil':
      return Math.ceil(x);
    default:
      throw new LatheError('invalid-model', `attribute "nearest_mode": "${mode}" is not known`);
  }
}

const triangle = (distance: number): number => Math.max(0, 1 - Math.abs(distance));

/** Keys' cubic convolution (1981). */
function cubic(a: number): (distance: number) => number {
  return (distance) => {
    const x = Math.abs(distance);
    if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
    return x < 2 ? a * (x ** 3 - 5 * x ** 2 + 8 * x - 4) : 0;
  };
}

function along(
  values: Float64Array,
  dims: readonly number[],
  axis: number,
  taps: readonly Taps[],
  extrapolation: number,
): Float64Array {
  const outer = sizeOf(dims.slice(0, axis));
  const inner = sizeOf(dims.slice(axis + 1));
  const length = dims[axis]!;
  const out = new Float64Array(outer * taps.length * inner);
  for (let block = 0; block < outer; block++) {
    for (const [place, list] of taps.entries()) {
      const to = (block * taps.length + place) * inner;
      if (list === undefined) out.fill(extrapolation, to, to + inner);
      for (const [index, weight] of list ?? []) {
        const from = (block * length + index) * inner;
        for (let at = 0; at < inner; at++) out[to + at]! += weight * values[from + at]!;
      }
    }
  }
  return out;
}

export const RESIZE = { Resize: resize, Upsample: resize } satisfies Record<string, Reference>;
