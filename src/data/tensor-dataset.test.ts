import { describe, expect, test } from 'vitest';
import { numbersOf } from '../base/index.ts';
import { type Column, gatherBatch, lengthsOf, tensorDataset } from './tensor-dataset.ts';

const ids: Column = {
  kind: 'ragged',
  values: Int32Array.of(5, 6, 7, -8, 9),
  offsets: Uint32Array.of(0, 2, 2, 5),
  dtype: 'int64',
  padValue: 3,
};
const dataset = tensorDataset({
  input_ids: ids,
  attention_mask: { kind: 'mask', of: 'input_ids', dtype: 'int64' },
  token_type_ids: { kind: 'zeros', of: 'input_ids', dtype: 'int64' },
  labels: { kind: 'fixed', values: Uint8Array.of(2, 0, 1), dims: [], dtype: 'int64' },
  image: { kind: 'fixed', values: Float32Array.of(1, 2, 3, 4, 5, 6), dims: [2], dtype: 'float32' },
});
const show = (indices: number[]) =>
  Object.fromEntries(
    Object.entries(gatherBatch(dataset, indices)).map(([name, value]) => [
      name,
      { dtype: value.dtype, dims: value.dims, values: numbersOf(value) },
    ]),
  );

describe('gatherBatch', () => {
  test('pads ragged columns to the longest row of the batch and derives masks and zeros', () => {
    expect(show([2, 0])).toEqual({
      input_ids: { dtype: 'int64', dims: [2, 3], values: [7, -8, 9, 5, 6, 3] },
      attention_mask: { dtype: 'int64', dims: [2, 3], values: [1, 1, 1, 1, 1, 0] },
      token_type_ids: { dtype: 'int64', dims: [2, 3], values: [0, 0, 0, 0, 0, 0] },
      labels: { dtype: 'int64', dims: [2], values: [1, 2] },
      image: { dtype: 'float32', dims: [2, 2], values: [5, 6, 1, 2] },
    });
  });

  test('leaves a place for empty rows', () => {
    const { input_ids, attention_mask } = show([1]);
    expect(input_ids).toEqual({ dtype: 'int64', dims: [1, 1], values: [3] });
    expect(attention_mask!.values).toEqual([0]);
  });

  test('takes no rows at all', () => {
    expect(show([]).labels).toEqual({ dtype: 'int64', dims: [0], values: [] });
  });

  test.each([
    ['int64 from int64', BigInt64Array.of(-1n, 2n ** 40n), 'int64', [-1, 2 ** 40]],
    ['int64 from uint32', Uint32Array.of(1, 2 ** 32 - 1), 'int64', [1, 2 ** 32 - 1]],
    ['int64 from int16', Int16Array.of(-300, 300), 'int64', [-300, 300]],
    ['uint64 from uint64', BigUint64Array.of(1n, 2n ** 50n), 'uint64', [1, 2 ** 50]],
    ['float32 from float64', Float64Array.of(0.5, -2), 'float32', [0.5, -2]],
    ['bool', Uint8Array.of(1, 0), 'bool', [1, 0]],
  ] as const)('%s', (_, values, dtype, expected) => {
    const { x } = gatherBatch(tensorDataset({ x: { kind: 'fixed', values, dims: [], dtype } }), [0, 1]);
    expect(x!.dtype).toBe(dtype);
    expect(numbersOf(x!)).toEqual(expected);
  });

  test('makes floats of pixels, a plane a channel', () => {
    const levels = Float32Array.from({ length: 512 }, (_, at) => (at < 256 ? at : at - 256 + 1000));
    const values = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const images = tensorDataset({ x: { kind: 'pixels', values, dims: [2, 1, 2], levels, dtype: 'float32' } });
    const { x } = gatherBatch(images, [1, 0]);
    expect(x!.dims).toEqual([2, 2, 1, 2]);
    expect(numbersOf(x!)).toEqual([5, 7, 1006, 1008, 1, 3, 1002, 1004]);
  });

  test('refuses rows that are not there', () => {
    expect(() => gatherBatch(dataset, [3])).toThrow(/row 3 of a data set of 3 rows/);
    expect(() => gatherBatch(dataset, [-1])).toThrow(/row -1/);
  });
});

test('lengths are those of the longest ragged column, or one', () => {
  expect([...lengthsOf(dataset)]).toEqual([2, 0, 3]);
  expect([
    ...lengthsOf(tensorDataset({ x: { kind: 'fixed', values: new Float32Array(4), dims: [2], dtype: 'float32' } })),
  ]).toEqual([1, 1]);
});

describe('tensorDataset refuses columns that do not fit', () => {
  const fixed = (count: number, dims: number[] = []): Column => ({
    kind: 'fixed',
    values: new Float32Array(count),
    dims,
    dtype: 'float32',
  });
  test.each<[string, Record<string, Column>, RegExp]>([
    ['rows', { a: fixed(2), b: fixed(3) }, /"b": expected 2 rows like the others, got 3/],
    ['shape', { a: fixed(5, [2]) }, /"a": 5 values are not a number of rows of \[2\]/],
    [
      'mask of nothing',
      { a: { kind: 'mask', of: 'b', dtype: 'int64' } },
      /"a": expected a ragged column "b", got none/,
    ],
    ['mask of fixed', { a: { kind: 'mask', of: 'b', dtype: 'int64' }, b: fixed(1) }, /got fixed/],
    ['offsets', { a: { ...ids, offsets: Uint32Array.of(0, 4) } }, /offsets must run from 0 to 5/],
    ['falling offsets', { a: { ...ids, offsets: Uint32Array.of(0, 4, 2, 5) } }, /offset 2 is smaller/],
    ['half floats', { a: { ...fixed(2), dtype: 'float16' } as Column }, /float16 cannot be made from a Float32Array/],
    [
      'too few levels',
      {
        a: {
          kind: 'pixels',
          values: new Uint8Array(2),
          dims: [1, 1, 2],
          levels: new Float32Array(9),
          dtype: 'float32',
        },
      },
      /"a": expected .* with 256 levels a channel, got \[1, 1, 2\] with 9/,
    ],
    ['floats as integers', { a: { ...fixed(2), dtype: 'int64' } as Column }, /int64 cannot be made/],
  ])('%s', (_, columns, message) => {
    expect(() => tensorDataset(columns)).toThrow(message);
  });
});
