import { describe, expect, test } from 'vitest';
import type { DataType } from './dtype.ts';
import { codesOf, float64Of, fromCodes, fromFloat64, fromIntegers, integersOf } from './elements.ts';
import { numbersOf, tensor, tensorFrom, zeros } from './tensor.ts';

describe('float64Of and fromFloat64', () => {
  test.each([
    ['float32', [1.5, -2.25, 0]],
    ['float64', [0.1, -1e300, 2]],
    ['float16', [1.5, -2.25, 65504]],
    ['bfloat16', [1.5, -2.25, 2 ** 127]],
    ['float8e4m3fn', [1.5, -2.25, 448]],
    ['float4e2m1', [1.5, -2, 6]],
    ['float6e2m3', [0.125, -7.5, 2]],
    ['float6e3m2', [0.0625, -28, 2]],
    ['int8', [-128, 127, 0]],
    ['uint8', [255, 1, 0]],
    ['int16', [-32768, 32767, 1]],
    ['uint32', [4294967295, 1, 0]],
    ['int64', [-(2 ** 53), 2 ** 40, 1]],
    ['uint64', [2 ** 63, 1, 0]],
    ['int4', [-8, 7, -1]],
    ['uint4', [15, 0, 9]],
    ['int2', [-2, 1, -1]],
    ['uint2', [3, 0, 2]],
    ['bool', [1, 0, 1]],
  ] as const)('%s', (dtype, values) => {
    const made = fromFloat64(dtype, [3], Float64Array.from(values));
    expect(made.dtype).toBe(dtype);
    expect(Array.from(float64Of(made))).toEqual(values);
    expect(codesOf(made)).toHaveLength(3);
    expect(fromCodes(dtype, [3], codesOf(made))).toEqual(made);
  });

  test('float64 shares memory', () => {
    const data = new Float64Array(2);
    expect(float64Of(tensor('float64', [2], data))).toBe(data);
  });

  test('floating point goes towards zero into integers, which wrap; NaN gives 0', () => {
    const values = () => Float64Array.of(-1.9, 300.7, NaN, Infinity, 2 ** 33 + 5);
    expect(Array.from(float64Of(fromFloat64('uint8', [5], values())))).toEqual([255, 44, 0, 0, 5]);
    expect(Array.from(float64Of(fromFloat64('int32', [5], values())))).toEqual([-1, 300, 0, 0, 5]);
    expect(Array.from(float64Of(fromFloat64('int64', [5], values())))).toEqual([-1, 300, 0, 0, 2 ** 33 + 5]);
    expect(Array.from(float64Of(fromFloat64('uint4', [5], values())))).toEqual([15, 12, 0, 0, 5]);
  });

  test.each(['string', 'complex64'] as const)('%s is refused', (dtype) => {
    const value = dtype === 'string' ? tensor('string', [1], ['a']) : zeros(dtype, [1]);
    expect(() => float64Of(value)).toThrow(`expected a tensor of real numbers, got ${dtype}`);
  });
});

describe('integers', () => {
  test('64 bits are exact both ways', () => {
    const values = [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n];
    expect(Array.from(integersOf(fromIntegers('int64', [3], values)))).toEqual(values);
    expect(Array.from(integersOf(fromIntegers('uint64', [1], [2n ** 64n - 1n])))).toEqual([2n ** 64n - 1n]);
  });

  test('products beyond 2^53 wrap to their low bits in narrow types', () => {
    const product = (2n ** 31n - 1n) * (2n ** 31n - 1n);
    expect(Array.from(integersOf(fromIntegers('int32', [1], [product])))).toEqual([1n]);
    expect(Array.from(integersOf(fromIntegers('uint32', [1], [2n ** 60n + 2n ** 31n])))).toEqual([2n ** 31n]);
    expect(Array.from(integersOf(fromIntegers('uint8', [1], [2n ** 60n + 7n])))).toEqual([7n]);
    expect(Array.from(integersOf(fromIntegers('int4', [1], [2n ** 60n + 9n])))).toEqual([-7n]);
  });

  test('floating point is refused', () => {
    expect(() => integersOf(tensorFrom('float32', [1]))).toThrow('expected a tensor of integers, got float32');
  });
});

test('packed types hold the first element in the low bits', () => {
  const packed = fromFloat64('int4', [3], Float64Array.of(1, -1, 2));
  expect(packed.data).toEqual(Uint8Array.of(0xf1, 0x02));
  expect(fromFloat64('uint2', [5], Float64Array.of(1, 2, 3, 0, 1)).data).toEqual(Uint8Array.of(0b00111001, 1));
});

test('ordinary numbers make narrow floats, and packed types point to what does', () => {
  expect(tensorFrom('float16', [1.5, -2]).data).toEqual(Uint16Array.of(0x3e00, 0xc000));
  expect(numbersOf(tensorFrom('bfloat16', [1.5, -2]))).toEqual([1.5, -2]);
  expect(zeros('int4', [3]).data).toHaveLength(2);
  for (const dtype of ['int4', 'uint2'] satisfies DataType[])
    expect(() => tensorFrom(dtype, [1])).toThrow('Use fromFloat64() or fromIntegers()');
  expect(() => numbersOf(zeros('int4', [2]))).toThrow('Use float64Of() or integersOf()');
});
