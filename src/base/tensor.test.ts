import { describe, expect, it } from 'vitest';
import { byteSize, DATA_TYPES, type DataType, dataTypeOf } from './dtype.ts';
import { broadcastDims, normalizeAxis, sizeOf, stridesOf } from './shape.ts';
import { numbersOf, tensor, tensorFrom, zeros } from './tensor.ts';

describe('data types', () => {
  it('have the numbers of onnx.proto, each once', () => {
    const names = Object.keys(DATA_TYPES) as DataType[];
    expect(names.map((name) => DATA_TYPES[name].code)).toEqual(names.map((_, index) => index + 1));
    for (const name of names) expect(dataTypeOf(DATA_TYPES[name].code)).toBe(name);
    expect([dataTypeOf(0), dataTypeOf(99)]).toEqual([undefined, undefined]);
  });

  it('take their bytes, packed ones rounded up', () => {
    const sizes = [byteSize('float32', 3), byteSize('int4', 3), byteSize('uint2', 5), byteSize('float6e2m3', 3)];
    expect(sizes).toEqual([12, 2, 2, 3]);
    expect([byteSize('complex128', 2), byteSize('bool', 3), byteSize('string', 3)]).toEqual([32, 3, undefined]);
  });
});

describe('shapes', () => {
  it('have sizes and strides', () => {
    expect([sizeOf([]), sizeOf([2, 3]), sizeOf([4, 0])]).toEqual([1, 6, 0]);
    expect([stridesOf([]), stridesOf([2, 3, 4])]).toEqual([[], [12, 4, 1]]);
  });

  it('count axes from both ends', () => {
    expect([normalizeAxis(-1, 3), normalizeAxis(0, 3), normalizeAxis(2, 3)]).toEqual([2, 0, 2]);
    for (const axis of [3, -4, 0.5, Number.NaN]) {
      expect(() => normalizeAxis(axis, 3, 'Concat "c"')).toThrow(
        `Concat "c": expected an axis in [-3, 3), got ${axis}`,
      );
    }
    expect(() => normalizeAxis(0, 0)).toThrow('got 0');
  });

  it('broadcast as NumPy does', () => {
    expect(broadcastDims()).toEqual([]);
    expect(broadcastDims([2, 1, 4], [3, 1], [])).toEqual([2, 3, 4]);
    expect(broadcastDims([1], [0])).toEqual([0]);
    expect(() => broadcastDims([2, 3], [2])).toThrow('shapes do not broadcast: [2, 3] and [2]');
    expect(() => broadcastDims([0], [2])).toThrow('do not broadcast');
  });
});

describe('tensors', () => {
  it('have as many elements as their dimensions say', () => {
    expect(() => tensor('float32', [2, 2], new Float32Array(3))).toThrow(
      'tensor float32[2, 2]: expected 4 elements, got 3',
    );
    expect(tensor('complex64', [2], new Float32Array(4)).data.length).toBe(4);
    expect(zeros('int4', [3]).data.length).toBe(2);
  });

  it('come from numbers and go back', () => {
    expect(tensorFrom('float32', 2).dims).toEqual([]);
    expect(tensorFrom('int64', [3, -4]).data).toEqual(BigInt64Array.of(3n, -4n));
    expect(numbersOf(tensorFrom('float16', [1, -0.5, 65504]))).toEqual([1, -0.5, 65504]);
    expect(numbersOf(tensorFrom('bfloat16', [1, 3.140625]))).toEqual([1, 3.140625]);
    expect(numbersOf(tensorFrom('bool', [1, 0]))).toEqual([1, 0]);
  });

  it('refuse what numbers cannot say', () => {
    expect(() => tensorFrom('int4', [1])).toThrow('int4 is packed');
    expect(() => numbersOf(zeros('int4', [2]))).toThrow('int4 is packed');
    expect(() => numbersOf(tensor('string', [1], ['a']))).toThrow('expected a tensor of numbers, got strings');
    expect(() => numbersOf(tensor('int64', [1], BigInt64Array.of(2n ** 53n)))).toThrow('9007199254740992');
  });
});
