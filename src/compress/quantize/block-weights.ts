/**
 * A matrix of 4 bits: `weight ≈ scale · (code - zeroPoint)`, where each block of inputs of an output has a scale and a zero
 * point of its own.
 */
export interface BlockWeights {
  readonly inputs: number;
  readonly outputs: number;
  /** Inputs that share a scale; the last block may be shorter. */
  readonly block: number;
  /** [outputs, inputs], each 0 to 15. */
  readonly codes: Uint8Array;
  /** [outputs, blocks] */
  readonly scales: Float32Array;
  /** [outputs, blocks], each 0 to 15. */
  readonly zeroPoints: Uint8Array;
}

/** How a block becomes integers. */
export interface BlockScale {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The largest code of 4 bits. */
export const LARGEST_CODE = 15;

export const blocksOf = (inputs: number, block: number): number => Math.ceil(inputs / block);

/** The scale and zero point that cover all values of a block, and zero, which stays zero. */
export function coveringScale(values: ArrayLike<number>): BlockScale {
  let least = 0;
  let largest = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (value < least) least = value;
    if (value > largest) largest = value;
  }
  const scale = Math.fround((largest - least) / LARGEST_CODE);
  if (scale < 2 ** -126) return { scale: 1, zeroPoint: 8 };
  return { scale, zeroPoint: clampCode(Math.round(-least / scale)) };
}

export function codeOf(value: number, { scale, zeroPoint }: BlockScale): number {
  return clampCode(Math.round(value / scale + zeroPoint));
}

export function clampCode(code: number): number {
  return Math.max(0, Math.min(LARGEST_CODE, code));
}

/**
 * Rounds every weight of a matrix [inputs, outputs] to the nearest code of its block, whose scale `scaleOf` gives (default:
 * the one that covers the block: round to nearest).
 */
export function roundToNearest(
  matrix: Float32Array,
  inputs: number,
  outputs: number,
  block: number,
  scaleOf: (values: Float64Array) => BlockScale = coveringScale,
): BlockWeights {
  const weights = emptyBlockWeights(inputs, outputs, block);
  const blocks = blocksOf(inputs, block);
  for (let output = 0; output < outputs; output++) {
    for (let at = 0; at < blocks; at++) {
      const from = at * block;
      const values = new Float64Array(Math.min(block, inputs - from));
      for (let index = 0; index < values.length; index++) values[index] = matrix[(from + index) * outputs + output]!;
      const scale = scaleOf(values);
      weights.scales[output * blocks + at] = scale.scale;
      weights.zeroPoints[output * blocks + at] = scale.zeroPoint;
      for (let index = 0; index < values.length; index++)
        weights.codes[output * inputs + from + index] = codeOf(values[index]!, scale);
    }
  }
  return weights;
}

export function emptyBlockWeights(inputs: number, outputs: number, block: number): BlockWeights {
  const scales = outputs * blocksOf(inputs, block);
  return {
    inputs,
    outputs,
    block,
    codes: new Uint8Array(inputs * outputs),
    scales: new Float32Array(scales),
    zeroPoints: new Uint8Array(scales),
  };
}

/** The matrix [inputs, outputs] that the integers stand for. */
export function floatsOf({ inputs, outputs, block, codes, scales, zeroPoints }: BlockWeights): Float32Array {
  const matrix = new Float32Array(inputs * outputs);
  const blocks = blocksOf(inputs, block);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const at = output * blocks + Math.floor(input / block);
      matrix[input * outputs + output] = scales[at]! * (codes[output * inputs + input]! - zeroPoints[at]!);
    }
  }
  return matrix;
}
