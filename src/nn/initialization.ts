import { deriveSeed, sizeOf, type Tensor, tensor } from '../base/index.ts';
import { fillRandomWords } from './random-words.ts';

/** How a parameter begins. `normal` has mean 0 and the given standard deviation; row `zeroRow` (of padding) is zero. */
export type Initialization = 'zeros' | 'ones' | { readonly normal: number; readonly zeroRow?: number };

/**
 * A new float32 parameter. Its random numbers depend on the seed and on its own name alone, so that a layer more or less
 * in the model leaves every other parameter as it was.
 */
export function initialize(
  name: string,
  dims: readonly number[],
  initialization: Initialization,
  seed: number,
): Tensor {
  const data = new Float32Array(sizeOf(dims));
  if (initialization === 'ones') data.fill(1);
  else if (initialization !== 'zeros') {
    fillNormal(data, initialization.normal, deriveSeed(seed, 'parameter', name));
    if (initialization.zeroRow !== undefined) {
      const rowSize = data.length / dims[0]!;
      data.fill(0, initialization.zeroRow * rowSize, (initialization.zeroRow + 1) * rowSize);
    }
  }
  return tensor('float32', dims, data);
}

/**
 * Fills with normal numbers by inversion at 65,536 evenly spaced probabilities, two numbers a random word: a model of
 * 110 million parameters starts in a fraction of a second, where a transcendental function each would take several.
 * The largest value is 4.3 standard deviations.
 */
function fillNormal(data: Float32Array, standardDeviation: number, seed: number): void {
  const scaled = quantiles().map((value) => value * standardDeviation);
  const words = new Uint32Array(Math.min(BLOCK, Math.ceil(data.length / 2)));
  const halves = new Uint16Array(words.buffer);
  for (let start = 0; start < data.length; start += 2 * BLOCK) {
    fillRandomWords(words, deriveSeed(seed, start));
    const count = Math.min(data.length - start, halves.length);
    for (let index = 0; index < count; index++) data[start + index] = scaled[halves[index]!]!;
  }
}

/** Words made at a time: few enough for the cache. */
const BLOCK = 32_768;

let table: Float32Array | undefined;

function quantiles(): Float32Array {
  if (table !== undefined) return table;
  table = new Float32Array(65536);
  for (let index = 0; index < 32768; index++) {
    const value = lowerNormalQuantile((index + 0.5) / 65536);
    table[index] = value;
    table[65535 - index] = -value;
  }
  return table;
}

/**
 * The standard normal quantile for a probability in (0, 1/2], by Acklam's rational approximation (relative error below
 * 1.2e-9).
 */
function lowerNormalQuantile(probability: number): number {
  if (probability < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(probability));
    return (
      (((((-7.784894002430293e-3 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q +
        4.374664141464968) *
        q +
        2.938163982698783) /
      ((((7.784695709041462e-3 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1)
    );
  }
  const q = probability - 0.5;
  const r = q * q;
  return (
    ((((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r -
      30.66479806614716) *
      r +
      2.506628277459239) *
      q) /
    (((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r -
      13.28068155288572) *
      r +
      1)
  );
}
