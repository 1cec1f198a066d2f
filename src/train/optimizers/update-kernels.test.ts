import { describe, expect, it } from 'vitest';
import { random } from '../../base/index.ts';
import { type AdamWOptions, adamW } from './adam-w.ts';
import { type ParameterMemory, updateKernels } from './update-kernels.ts';

/** AdamW as its paper writes it (Loshchilov and Hutter, 2019, algorithm 2), in float64. */
function referenceAdamW(
  { parameter, firstMoment, secondMoment }: Record<'parameter' | 'firstMoment' | 'secondMoment', Float64Array>,
  gradient: Float32Array,
  step: number,
  { learningRate, beta1, beta2, epsilon, weightDecay }: Required<AdamWOptions> & { learningRate: number },
): void {
  for (const [index, g] of gradient.entries()) {
    firstMoment[index] = beta1 * firstMoment[index]! + (1 - beta1) * g;
    secondMoment[index] = beta2 * secondMoment[index]! + (1 - beta2) * g * g;
    const first = firstMoment[index]! / (1 - beta1 ** step);
    const second = secondMoment[index]! / (1 - beta2 ** step);
    parameter[index]! -= learningRate * (first / (Math.sqrt(second) + epsilon) + weightDecay * parameter[index]!);
  }
}

const normals = (length: number, seed: number): Float32Array => {
  const generator = random(seed);
  return Float32Array.from({ length }, () => generator.normal());
};

describe('the update of AdamW in place', () => {
  it.each([
    [true, 0.1, 1027],
    [true, 0, 6],
    [false, 0.1, 5],
    [true, 0.1, 1],
    [true, 0.1, 0],
  ])('equals the paper in float64: decays %s by %d, %i elements', (decays, weightDecay, length) => {
    const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay };
    const optimizer = adamW(options);
    const kernels = updateKernels(optimizer);
    const memory: ParameterMemory = {
      parameter: normals(length, 1),
      gradient: new Float32Array(length),
      state: { first_moment: new Float32Array(length), second_moment: new Float32Array(length) },
      decays,
    };
    const reference = {
      parameter: Float64Array.from(memory.parameter),
      firstMoment: new Float64Array(length),
      secondMoment: new Float64Array(length),
    };
    for (let step = 1; step <= 8; step++) {
      const learningRate = 0.01 / step;
      memory.gradient.set(normals(length, 100 + step));
      kernels.update(memory, 0.5, optimizer.scalarValues(step, learningRate));
      const halved = memory.gradient.map((value) => value * 0.5);
      referenceAdamW(reference, halved, step, { ...options, learningRate, weightDecay: decays ? weightDecay : 0 });
      for (const [index, value] of memory.parameter.entries()) {
        const expected = reference.parameter[index]!;
        // Steps are of the learning rate's size: what is near zero has come there by a difference.
        expect(Math.abs(value - expected)).toBeLessThan(1e-6 * Math.max(Math.abs(expected), 0.01));
      }
    }
  });
});

describe('sums of gradients', () => {
  it('are added up in place, and their squares in float64', () => {
    const kernels = updateKernels(adamW());
    const [sum, part] = [normals(1001, 1), normals(1001, 2)];
    const expected = sum.map((value, index) => value + part[index]!);
    kernels.add(sum, part);
    expect(sum).toEqual(expected);
    const squares = expected.reduce((total, value) => total + value * value, 0);
    expect(Math.abs(kernels.sumOfSquares(sum) / squares - 1)).toBeLessThan(1e-7);
    expect(kernels.sumOfSquares(Float32Array.of(1, Number.NaN, 2))).toBeNaN();
    expect(kernels.sumOfSquares(Float32Array.of(1, 2, 3, 4, Number.POSITIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY);
    expect(kernels.sumOfSquares(new Float32Array(0))).toBe(0);
  });
});
