import { describe, expect, it } from 'vitest';
import { numbersOf, random } from '../../base/index.ts';
import { integerWeights } from './integer-weights.ts';

describe('integer weights', () => {
  it('lie within half a step of the weights, the largest of each scale at the end of the range', () => {
    const draw = random(1);
    const weights = Float32Array.from({ length: 30 }, () => draw.normal());
    const { values, scales, zeroPoints } = integerWeights([6, 5], weights, { axis: 1 });
    expect(values.dtype).toBe('int8');
    expect(scales.dims).toEqual([5]);
    expect(numbersOf(zeroPoints)).toEqual([0, 0, 0, 0, 0]);
    const steps = numbersOf(values);
    const each = numbersOf(scales);
    for (const [index, weight] of weights.entries())
      expect(Math.abs(weight - steps[index]! * each[index % 5]!)).toBeLessThanOrEqual(each[index % 5]! * 0.50001);
    for (let column = 0; column < 5; column++)
      expect(Math.max(...steps.filter((_, index) => index % 5 === column).map(Math.abs))).toBe(127);
  });

  it('take the axis of the outputs wherever it stands, and one scale without an axis', () => {
    const weights = new Float32Array([1, 2, 4, 8, -16, 32]);
    expect(numbersOf(integerWeights([2, 3], weights, { axis: 0 }).scales)).toEqual(
      [4 / 127, 32 / 127].map(Math.fround),
    );
    expect(numbersOf(integerWeights([3, 2, 1], weights, { axis: 1 }).scales)).toEqual(
      [16 / 127, 32 / 127].map(Math.fround),
    );
    const whole = integerWeights([2, 3], weights);
    expect(whole.scales.dims).toEqual([]);
    expect(numbersOf(whole.values)).toEqual([4, 8, 16, 32, -64, 127]);
  });

  it('stay within 7 bits with a reduced range, and are shifted by 128 as uint8', () => {
    const weights = new Float32Array([1, -0.25, 0]);
    expect(numbersOf(integerWeights([3], weights, { reduceRange: true }).values)).toEqual([64, -16, 0]);
    const unsigned = integerWeights([3], weights, { dtype: 'uint8' });
    expect(numbersOf(unsigned.values)).toEqual([255, 96, 128]);
    expect(numbersOf(unsigned.zeroPoints)).toEqual([128]);
  });

  it('of zeros, and of numbers too small to have a scale, are zeros', () => {
    const { values, scales } = integerWeights([2, 2], new Float32Array([0, 1e-42, 0, -1e-42]), { axis: 1 });
    expect(numbersOf(values)).toEqual([0, 0, 0, 0]);
    expect(numbersOf(scales)).toEqual([1, 1]);
  });
});
