import { roundHalfToEven, sizeOf, stridesOf, type Tensor, tensor } from '../../base/index.ts';

export interface IntegerWeights {
  /** Of the shape of the weights: int8, or uint8 with zero points of 128. */
  readonly values: Tensor;
  /** float32, one for each place of the axis, or a scalar. */
  readonly scales: Tensor;
  /** Of the type of the values, and the shape of the scales. */
  readonly zeroPoints: Tensor;
}

export interface IntegerWeightOptions {
  /** The axis whose places have a scale each; none for one scale of all. */
  readonly axis?: number | undefined;
  /** Default int8. */
  readonly dtype?: 'int8' | 'uint8';
  /**
   * Keeps to 7 bits, so that sums of two products of 8 bits fit into 16: processors with AVX2 or AVX-512 but without VNNI cut
   * larger ones off. Default false.
   */
  readonly reduceRange?: boolean;
  /** The least that the scale of a place may be, where something else is stored by it too. */
  readonly leastScale?: (place: number) => number;
}

/**
 * Weights as integers around zero: `weight ≈ scale · (value - zeroPoint)`, off by half a scale at most. The largest of the
 * scale's weights becomes 127 (63 with `reduceRange`); all zeros have the scale 1.
 */
export function integerWeights(
  dims: readonly number[],
  weights: Float32Array,
  options: IntegerWeightOptions = {},
): IntegerWeights {
  const { axis, dtype = 'int8', reduceRange = false, leastScale = () => 0 } = options;
  const places = axis === undefined ? 1 : dims[axis]!;
  const stride = axis === undefined ? Math.max(1, sizeOf(dims)) : stridesOf(dims)[axis]!;
  const largest = new Float64Array(places);
  for (let index = 0; index < weights.length; index++) {
    const place = Math.floor(index / stride) % places;
    const size = Math.abs(weights[index]!);
    if (size > largest[place]!) largest[place] = size;
  }
  const limit = reduceRange ? 64 : 127;
  const scales = Float32Array.from(largest, (size, place) => Math.max(scaleOf(size, limit), leastScale(place)));
  const zero = dtype === 'int8' ? 0 : 128;
  const values = dtype === 'int8' ? new Int8Array(weights.length) : new Uint8Array(weights.length);
  for (let index = 0; index < weights.length; index++) {
    const scale = scales[Math.floor(index / stride) % places]!;
    const steps = roundHalfToEven(weights[index]! / scale);
    values[index] = Math.max(-limit, Math.min(limit, steps)) + zero;
  }
  const shape = axis === undefined ? [] : [places];
  const zeroPoints = (dtype === 'int8' ? new Int8Array(places) : new Uint8Array(places)).fill(zero);
  return {
    values: tensor(dtype, dims, values),
    scales: tensor('float32', shape, scales),
    zeroPoints: tensor(dtype, shape, zeroPoints),
  };
}

/** A scale so small that float32 has no normal number for it would divide to infinity. */
function scaleOf(largest: number, limit: number): number {
  const scale = Math.fround(largest / limit);
  return scale < 2 ** -126 ? 1 : scale;
}
