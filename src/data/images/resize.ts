import type { RawImage } from './raw-image.ts';

/** How a pixel is made of those around it, by Pillow's names. */
export type Resample = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos';

interface Filter {
  /** Pixels to each side that count, at scale 1. */
  readonly support: number;
  readonly weight: (distance: number) => number;
}

const FILTERS: Readonly<Record<Exclude<Resample, 'nearest'>, Filter>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))),
  },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x), -0.5) },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Weights are integers of so many bits behind the point: with 8 bits of a pixel they stay within 32. */
const PRECISION_BITS = 22;

/**
 * Resizes as Pillow 13 does, to the bit: a pass over the rows and one over the columns, each rounded to 8 bits, with the
 * filter widened where the image becomes smaller (antialiasing). The same in Node, in a browser and on a device.
 * Source: "Filters comparison table" in Pillow's documentation, and the arithmetic of its Resample.c.
 */
export function resize(
  image: RawImage,
  size: { readonly width: number; readonly height: number },
  resample: Resample,
): RawImage {
  const { width, height } = size;
  if (resample === 'nearest') return nearest(image, width, height);
  const filter = FILTERS[resample];
  const across = (from: RawImage): RawImage => (from.width === width ? from : acrossRows(from, width, filter));
  const down = (from: RawImage): RawImage => (from.height === height ? from : downColumns(from, height, filter));
  return isColumnsFirst(image, size) ? across(down(image)) : down(across(image));
}

/**
 * Which pass comes first decides how the result is rounded. Since version 13 Pillow begins with the columns where more than twice as
 * many rows as columns go away (measured; before, with the rows always).
 */
function isColumnsFirst(
  image: RawImage,
  { width, height }: { readonly width: number; readonly height: number },
): boolean {
  return height < image.height && 2 * (image.width - width) < image.height - height;
}

interface Weights {
  /** For each pixel of the result, the first pixel that counts, and how many do. */
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** `longest` weights a pixel of the result. */
  readonly values: Int32Array;
  readonly longest: number;
}

function weightsOf(inputs: number, outputs: number, { support: reach, weight }: Filter): Weights {
  const scale = inputs / outputs;
  const widened = Math.max(1, scale);
  const support = reach * widened;
  const longest = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outputs);
  const counts = new Int32Array(outputs);
  const values = new Int32Array(outputs * longest);
  const floats = new Float64Array(longest);
  for (let output = 0; output < outputs; output++) {
    const center = (output + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(inputs, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let index = 0; index < count; index++) {
      floats[index] = weight((index + start - center + 0.5) * (1 / widened));
      sum += floats[index]!;
    }
    for (let index = 0; index < count; index++) {
      const scaled = (sum === 0 ? floats[index]! : floats[index]! / sum) * (1 << PRECISION_BITS);
      values[output * longest + index] = Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5));
    }
    starts[output] = start;
    counts[output] = count;
  }
  return { starts, counts, values, longest };
}

const HALF = 1 << (PRECISION_BITS - 1);

function acrossRows({ width, height, channels, data }: RawImage, newWidth: number, filter: Filter): RawImage {
  const { starts, counts, values, longest } = weightsOf(width, newWidth, filter);
  const out = new Uint8ClampedArray(newWidth * height * channels);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < newWidth; column++) {
      const first = (row * width + starts[column]!) * channels;
      const weights = column * longest;
      const count = counts[column]!;
      for (let channel = 0; channel < channels; channel++) {
        let sum = HALF;
        for (let index = 0, at = first + channel; index < count; index++, at += channels) {
          sum += data[at]! * values[weights + index]!;
        }
        out[(row * newWidth + column) * channels + channel] = sum >> PRECISION_BITS;
      }
    }
  }
  return { width: newWidth, height, channels, data: new Uint8Array(out.buffer) };
}

function downColumns({ width, height, channels, data }: RawImage, newHeight: number, filter: Filter): RawImage {
  const { starts, counts, values, longest } = weightsOf(height, newHeight, filter);
  const rowSize = width * channels;
  const out = new Uint8ClampedArray(newHeight * rowSize);
  const sums = new Int32Array(rowSize);
  for (let row = 0; row < newHeight; row++) {
    sums.fill(HALF);
    for (let index = 0; index < counts[row]!; index++) {
      const weight = values[row * longest + index]!;
      const start = (starts[row]! + index) * rowSize;
      for (let at = 0; at < rowSize; at++) sums[at]! += data[start + at]! * weight;
    }
    const start = row * rowSize;
    for (let at = 0; at < rowSize; at++) out[start + at] = sums[at]! >> PRECISION_BITS;
  }
  return { width, height: newHeight, channels, data: new Uint8Array(out.buffer) };
}

function nearest({ width, height, channels, data }: RawImage, newWidth: number, newHeight: number): RawImage {
  const columns = nearestOf(width, newWidth);
  const rows = nearestOf(height, newHeight);
  const out = new Uint8Array(newWidth * newHeight * channels);
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++) out[at++] = data[from + channel]!;
    }
  }
  return { width: newWidth, height: newHeight, channels, data: out };
}

function nearestOf(inputs: number, outputs: number): Int32Array {
  const places = new Int32Array(outputs);
  const step = inputs / outputs;
  // Added up, not multiplied: the rounding of the sum decides at the borders of pixels, as it does in Pillow.
  let place = step * 0.5;
  for (let index = 0; index < outputs; index++, place += step) places[index] = Math.min(inputs - 1, Math.trunc(place));
  return places;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Keys's cubic convolution kernel. */
function cubic(x: number, a: number): number {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}
