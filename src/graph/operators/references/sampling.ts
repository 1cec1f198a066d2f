import type { DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64 } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { formatDims, sizeOf, stridesOf } from '../../../base/shape.ts';
import { numbersOf, type Tensor } from '../../../base/tensor.ts';
import { floatOf, intOf, stringOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required } from './inputs.ts';

type NumericType = Exclude<DataType, 'string'>;

/** Values of images at places between their pixels. */
export const SAMPLING = { GridSample: gridSample, RoiAlign: roiAlign } satisfies Record<string, Reference>;

/** A pixel along one axis, and how much of it is taken; outside of the image there may be none. */
type Tap = readonly [index: number, weight: number];

/** x [N, C, …], grid [N, …, r]: each place is r coordinates, the last axis first, from -1 to 1 over the image. */
function gridSample(context: ReferenceContext): readonly Tensor[] {
  const { node } = context;
  const [x, grid] = [required(context, 0), required(context, 1)];
  const rank = x.dims.length - 2;
  if (grid.dims.length !== rank + 2 || grid.dims.at(-1) !== rank || grid.dims[0] !== x.dims[0]) {
    throw new LatheError('shape', `grid ${formatDims(grid.dims)} does not fit ${formatDims(x.dims)}`);
  }
  const [batch, channels] = x.dims as [number, number];
  const lengths = x.dims.slice(2);
  const strides = stridesOf(lengths);
  const aligned = intOf(node, 'align_corners', 0) !== 0;
  const weigh = WEIGHTS[stringOf(node, 'mode', 'linear')];
  const pad = PADDINGS[stringOf(node, 'padding_mode', 'zeros')];
  if (weigh === undefined || pad === undefined) throw new LatheError('invalid-model', 'its mode is not known');
  const places = sizeOf(grid.dims.slice(1, -1));
  const [values, coordinates] = [float64Of(x), float64Of(grid)];
  const pixels = sizeOf(lengths);
  const out = new Float64Array(batch * channels * places);
  for (let image = 0; image < batch; image++) {
    for (let place = 0; place < places; place++) {
      const start = (image * places + place) * rank;
      const along = lengths.map((length, axis): readonly Tap[] => {
        const given = coordinates[start + rank - 1 - axis]!;
        const at = aligned ? ((given + 1) / 2) * (length - 1) : ((given + 1) * length - 1) / 2;
        return weigh(at).flatMap(([index, weight]) => {
          const inside = pad(index, length, aligned);
          return inside === undefined ? [] : [[inside, weight] as const];
        });
      });
      const taps = along.reduce<readonly Tap[]>(
        (outer, inner, axis) =>
          outer.flatMap(([index, weight]) =>
            inner.map(([next, factor]) => [index + next * strides[axis]!, weight * factor] as const),
          ),
        [[0, 1]],
      );
      for (let channel = 0; channel < channels; channel++) {
        const plane = image * channels + channel;
        let sum = 0;
        for (const [index, weight] of taps) sum += weight * values[plane * pixels + index]!;
        out[plane * places + place] = sum;
      }
    }
  }
  return [fromFloat64(x.dtype as NumericType, [batch, channels, ...grid.dims.slice(1, -1)], out)];
}

function linear(at: number): readonly Tap[] {
  const below = Math.floor(at);
  return [
    [below, 1 - (at - below)],
    [below + 1, at - below],
  ];
}

/** Keys' cubic convolution (1981) with a = -3/4. */
function cubic(at: number): readonly Tap[] {
  const below = Math.floor(at);
  const a = -0.75;
  return [-1, 0, 1, 2].map((offset) => {
    const distance = Math.abs(at - below - offset);
    const weight =
      distance <= 1
        ? (a + 2) * distance ** 3 - (a + 3) * distance ** 2 + 1
        : a * (distance ** 3 - 5 * distance ** 2 + 8 * distance - 4);
    return [below + offset, weight];
  });
}

/** Halves to the even neighbour. */
function nearest(at: number): readonly Tap[] {
  const below = Math.floor(at);
  const rounded = at - below === 0.5 ? below + Math.abs(below % 2) : Math.round(at);
  return [[rounded, 1]];
}

/** By the names before and since operator set 20. */
const WEIGHTS: Readonly<Record<string, (at: number) => readonly Tap[]>> = {
  bilinear: linear,
  linear,
  bicubic: cubic,
  cubic,
  nearest,
};

/** The pixel that stands for one outside of the image. */
const PADDINGS: Readonly<Record<string, (index: number, length: number, aligned: boolean) => number | undefined>> = {
  zeros: (index, length) => (index >= 0 && index < length ? index : undefined),
  border: (index, length) => Math.min(length - 1, Math.max(0, index)),
  // About the middles of the outermost pixels, or about their outer edges.
  reflection: (index, length, aligned) => {
    const period = Math.max(1, aligned ? 2 * (length - 1) : 2 * length);
    const within = ((index % period) + period) % period;
    return Math.min(within, aligned ? period - within : period - 1 - within);
  },
};

/** x [N, C, H, W], regions [R, 4] as x1, y1, x2, y2, the image of each [R]. */
function roiAlign(context: ReferenceContext): readonly Tensor[] {
  const { node, opset } = context;
  const [x, regions, images] = [required(context, 0), required(context, 1), required(context, 2)];
  const [, channels, height, width] = x.dims as [number, number, number, number];
  const mode = stringOf(node, 'mode', 'avg');
  if (mode !== 'avg' && mode !== 'max') throw new LatheError('invalid-model', `mode "${mode}" is not known`);
  const [rows, columns] = [intOf(node, 'output_height', 1), intOf(node, 'output_width', 1)];
  const samples = intOf(node, 'sampling_ratio', 0);
  const scale = floatOf(node, 'spatial_scale', 1);
  const shifted = stringOf(node, 'coordinate_transformation_mode', opset < 16 ? 'output_half_pixel' : 'half_pixel');
  const halfPixel = shifted === 'half_pixel';
  const [values, bounds] = [float64Of(x), float64Of(regions)];
  const out: number[] = [];
  for (const [region, image] of numbersOf(images).entries()) {
    const [left, top, right, bottom] = [0, 1, 2, 3].map(
      (at) => bounds[4 * region + at]! * scale - (halfPixel ? 0.5 : 0),
    ) as [number, number, number, number];
    const extent = (from: number, to: number): number => (halfPixel ? to - from : Math.max(to - from, 1));
    const down = samplesAlong(top, extent(top, bottom), rows, samples, height);
    const across = samplesAlong(left, extent(left, right), columns, samples, width);
    for (let channel = 0; channel < channels; channel++) {
      const plane = (image * channels + channel) * height * width;
      for (const vertical of down) {
        for (const horizontal of across) {
          const products = vertical.flatMap((rowTaps) =>
            horizontal.map((columnTaps) =>
              rowTaps.flatMap(([row, weight]) =>
                columnTaps.map(([column, factor]) => weight * factor * values[plane + row * width + column]!),
              ),
            ),
          );
          out.push(mode === 'avg' ? mean(products) : largest(products));
        }
      }
    }
  }
  const dims = [numbersOf(images).length, channels, rows, columns];
  return [fromFloat64(x.dtype as NumericType, dims, Float64Array.from(out))];
}

/** The taps of each sample of each bin along one axis: one or two pixels, or with no weight where it is far outside. */
function samplesAlong(
  start: number,
  extent: number,
  bins: number,
  given: number,
  length: number,
): readonly (readonly (readonly Tap[])[])[] {
  const size = extent / bins;
  const count = given > 0 ? given : Math.max(0, Math.ceil(size));
  return Array.from({ length: bins }, (_, bin) =>
    Array.from({ length: count }, (_, sample): readonly Tap[] => {
      const at = start + bin * size + ((sample + 0.5) * size) / count;
      if (at < -1 || at > length) {
        return [
          [0, 0],
          [0, 0],
        ];
      }
      const inside = Math.min(Math.max(at, 0), length - 1);
      const low = Math.floor(inside);
      return [
        [low, 1 - (inside - low)],
        [Math.min(low + 1, length - 1), inside - low],
      ];
    }),
  );
}

function mean(samples: readonly (readonly number[])[]): number {
  return samples.flat().reduce((sum, value) => sum + value, 0) / Math.max(1, samples.length);
}

/** Of the weighted pixels, as the operator was defined, not of the samples. */
function largest(samples: readonly (readonly number[])[]): number {
  return samples.length === 0 ? 0 : Math.max(...samples.flat());
}
