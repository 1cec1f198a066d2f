import { describe, expect, test } from 'vitest';
import { isSmallFloat, roundHalfToEven, smallFloatBits, smallFloatTable, smallFloatValue } from './float16.ts';

describe('float16 (IEEE 754 binary16)', () => {
  // Wikipedia, "Half-precision floating-point format", examples.
  test.each([
    [0x0001, 2 ** -24],
    [0x03ff, (2 ** -14 * 1023) / 1024],
    [0x0400, 2 ** -14],
    [0x3555, 0.333251953125],
    [0x3bff, 0.99951171875],
    [0x3c00, 1],
    [0x3c01, 1.0009765625],
    [0x7bff, 65504],
    [0x7c00, Infinity],
    [0x8000, -0],
    [0xc000, -2],
    [0xfc00, -Infinity],
  ])('%s is %s', (bits, value) => {
    expect(smallFloatValue('float16', bits)).toBe(value);
    expect(smallFloatBits('float16', value)).toBe(bits);
  });

  test.each([
    ['a tie goes to the even neighbour below', 2049, 2048],
    ['a tie goes to the even neighbour above', 2051, 2052],
    ['just above a tie', 2049.0001, 2050],
    ['a tie with infinity', 65520, Infinity],
    ['just below that tie', 65519.99, 65504],
    ['half of the smallest number', 2 ** -25, 0],
    ['a little more than that', 2 ** -25 * 1.0001, 2 ** -24],
    ['a double is rounded once, not through float32', 1 + 2 ** -11 + 2 ** -40, 1 + 2 ** -10],
  ])('%s', (_, value, rounded) => {
    expect(smallFloatValue('float16', smallFloatBits('float16', value))).toBe(rounded);
    expect(smallFloatValue('float16', smallFloatBits('float16', -value))).toBe(-rounded);
  });
});

describe('bfloat16 (the upper half of float32)', () => {
  test.each([
    [0x3f80, 1],
    [0x4049, 3.140625],
    [0x3eab, 0.333984375],
    [0x7f7f, 3.3895313892515355e38],
    [0x0001, 9.183549615799121e-41],
    [0xff80, -Infinity],
  ])('%s is %s', (bits, value) => {
    expect(smallFloatValue('bfloat16', bits)).toBe(value);
    expect(smallFloatBits('bfloat16', value)).toBe(bits);
  });

  test('every value is the float32 with zeros below', () => {
    const bytes = new DataView(new ArrayBuffer(4));
    smallFloatTable('bfloat16').forEach((value, bits) => {
      bytes.setUint32(0, bits * 65536);
      expect(value).toBe(bytes.getFloat32(0));
    });
  });
});

describe('8 bits and fewer', () => {
  // "FP8 Formats for Deep Learning" (Micikevicius et al., 2022), table 1; the ONNX page on float8 for the others.
  test.each([
    ['float8e4m3fn', 0x7e, 448],
    ['float8e4m3fn', 0x08, 2 ** -6],
    ['float8e4m3fn', 0x01, 2 ** -9],
    ['float8e5m2', 0x7b, 57344],
    ['float8e5m2', 0x04, 2 ** -14],
    ['float8e5m2', 0x01, 2 ** -16],
    ['float8e5m2', 0x7c, Infinity],
    ['float8e4m3fnuz', 0x7f, 240],
    ['float8e4m3fnuz', 0x01, 2 ** -10],
    ['float8e5m2fnuz', 0x7f, 57344],
    ['float8e5m2fnuz', 0x01, 2 ** -17],
    ['float4e2m1', 0x7, 6],
    ['float4e2m1', 0x1, 0.5],
    ['float4e2m1', 0xb, -1.5],
    ['float6e2m3', 0x1f, 7.5],
    ['float6e3m2', 0x1f, 28],
    ['float6e3m2', 0x01, 0.0625],
    ['float8e8m0', 0x7f, 1],
    ['float8e8m0', 0x00, 2 ** -127],
    ['float8e8m0', 0xfe, 2 ** 127],
  ] as const)('%s %s is %s', (dtype, bits, value) => {
    expect(smallFloatValue(dtype, bits)).toBe(value);
    expect(smallFloatBits(dtype, value)).toBe(bits);
  });

  test.each([
    ['float8e4m3fn', 464, 0x7e, 0x7e],
    ['float8e4m3fn', 465, 0x7f, 0x7e],
    ['float8e4m3fn', Infinity, 0x7f, 0x7e],
    ['float8e5m2', 61440, 0x7c, 0x7b],
    ['float8e5m2', -Infinity, 0xfc, 0xfb],
    ['float8e4m3fnuz', -1000, 0x80, 0xff],
    ['float8e5m2fnuz', 1e6, 0x80, 0x7f],
    ['float4e2m1', 100, 0x7, 0x7],
  ] as const)('%s: %s beyond the range', (dtype, value, plain, saturated) => {
    expect(smallFloatBits(dtype, value)).toBe(plain);
    expect(smallFloatBits(dtype, value, true)).toBe(saturated);
  });

  test('float16 never saturates', () => {
    expect(smallFloatBits('float16', 1e6, true)).toBe(0x7c00);
  });

  test('no negative zero where the format has none', () => {
    expect(smallFloatBits('float8e4m3fnuz', -0)).toBe(0);
    expect(smallFloatBits('float8e5m2fnuz', -1e-9)).toBe(0);
    expect(smallFloatBits('float8e4m3fn', -0)).toBe(0x80);
  });
});

test.each([
  'float16',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'float4e2m1',
  'float6e2m3',
  'float6e3m2',
  'float8e8m0',
] as const)('%s: every number encodes to the bits it was decoded from', (dtype) => {
  smallFloatTable(dtype).forEach((value, bits) => {
    if (Number.isNaN(value)) expect(smallFloatValue(dtype, smallFloatBits(dtype, value))).toBeNaN();
    else expect(smallFloatBits(dtype, value)).toBe(bits);
  });
});

test('isSmallFloat', () => {
  expect(['float16', 'float8e8m0', 'float32', 'int8', 'int4'].map((name) => isSmallFloat(name as 'int8'))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('halves go to the even integer, and zero keeps its sign', () => {
  expect([0.5, 1.5, 2.5, -0.5, -1.5, -0.2, -0, 2.4, -2.6, Infinity].map(roundHalfToEven)).toEqual([
    0,
    2,
    2,
    -0,
    -2,
    -0,
    -0,
    2,
    -3,
    Infinity,
  ]);
});
