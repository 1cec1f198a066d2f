import { LatheError } from '../../base/index.ts';
import { type BlockWeights, blocksOf, codeOf, coveringScale, emptyBlockWeights } from './block-weights.ts';

/** Added to the diagonal, as a share of its mean. */
const DAMPING = 0.01;

/**
 * Quantizes a matrix [inputs, outputs] input by input, and corrects the inputs that are still to come for the error made so
 * far, by the second moments of what the product reads (GPTQ: Frantar et al. 2022). `moments` [inputs, inputs] is the sum
 * of x·xᵀ over rows x of real data. A block has the scale that covers its corrected weights.
 */
export function gptqWeights(
  matrix: Float32Array,
  inputs: number,
  outputs: number,
  block: number,
  moments: Float64Array,
): BlockWeights {
  const factor = inverseFactor(damped(moments, inputs), inputs);
  const rest = Float64Array.from(matrix);
  const weights = emptyBlockWeights(inputs, outputs, block);
  const blocks = blocksOf(inputs, block);
  const errors = new Float64Array(block * outputs);
  for (let from = 0; from < inputs; from += block) {
    const to = Math.min(inputs, from + block);
    const at = from / block;
    const scales = Array.from({ length: outputs }, (_, output) =>
      coveringScale(Float64Array.from({ length: to - from }, (_, index) => rest[(from + index) * outputs + output]!)),
    );
    for (const [output, { scale, zeroPoint }] of scales.entries()) {
      weights.scales[output * blocks + at] = scale;
      weights.zeroPoints[output * blocks + at] = zeroPoint;
    }
    for (let input = from; input < to; input++) {
      const diagonal = factor[input * inputs + input]!;
      for (let output = 0; output < outputs; output++) {
        const { scale, zeroPoint } = scales[output]!;
        const value = rest[input * outputs + output]!;
        const code = codeOf(value, scales[output]!);
        weights.codes[output * inputs + input] = code;
        errors[(input - from) * outputs + output] = (value - scale * (code - zeroPoint)) / diagonal;
      }
      correct(input, input + 1, to);
    }
    // The inputs behind the block are corrected for all of it at once, for the sake of the cache.
    for (let later = to; later < inputs; later++)
      for (let input = from; input < to; input++) correct(input, later, later + 1, from);
  }
  return weights;

  function correct(input: number, first: number, last: number, from = Math.floor(input / block) * block): void {
    const error = (input - from) * outputs;
    for (let later = first; later < last; later++) {
      const share = factor[input * inputs + later]!;
      const row = later * outputs;
      for (let output = 0; output < outputs; output++) {
        rest[row + output] = rest[row + output]! - share * errors[error + output]!;
      }
    }
  }
}

/** With something on the diagonal, so that it has an inverse; inputs that are always zero have no say. */
function damped(moments: Float64Array, size: number): Float64Array {
  if (moments.length !== size * size) {
    throw new LatheError('shape', `second moments of ${size} inputs: expected ${size}², got ${moments.length} numbers`);
  }
  const matrix = moments.slice();
  let mean = 0;
  for (let at = 0; at < size; at++) mean += matrix[at * size + at]! / size;
  for (let at = 0; at < size; at++) {
    const place = at * size + at;
    matrix[place] = mean === 0 ? 1 : matrix[place]! + DAMPING * mean;
  }
  return matrix;
}

/**
 * The upper triangular U with Uᵀ·U = M⁻¹ for a positive definite M: M = R·Rᵀ with R upper triangular, and U = R⁻¹. All inner
 * loops run along rows.
 */
export function inverseFactor(matrix: Float64Array, size: number): Float64Array {
  const root = new Float64Array(size * size);
  for (let column = size - 1; column >= 0; column--) {
    for (let row = column; row >= 0; row--) {
      let sum = matrix[row * size + column]!;
      for (let index = column + 1; index < size; index++)
        sum -= root[row * size + index]! * root[column * size + index]!;
      if (row === column) {
        if (!(sum > 0)) throw new LatheError('shape', `the second moments are not positive definite at input ${row}`);
        root[row * size + row] = Math.sqrt(sum);
      } else root[row * size + column] = sum / root[column * size + column]!;
    }
  }
  const inverse = new Float64Array(size * size);
  for (let row = size - 1; row >= 0; row--) {
    const diagonal = root[row * size + row]!;
    inverse[row * size + row] = 1 / diagonal;
    for (let index = row + 1; index < size; index++) {
      const share = root[row * size + index]! / diagonal;
      for (let column = index; column < size; column++)
        inverse[row * size + column] = inverse[row * size + column]! - share * inverse[index * size + column]!;
    }
  }
  return inverse;
}
