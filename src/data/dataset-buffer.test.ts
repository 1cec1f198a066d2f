import { expect, test } from 'vitest';
import { deserializeDataset, serializeDataset } from './dataset-buffer.ts';
import { gatherBatch, tensorDataset } from './tensor-dataset.ts';

const offsets = Uint32Array.of(0, 2, 2, 5);
const dataset = tensorDataset({
  input_ids: { kind: 'ragged', values: Int32Array.of(5, 6, 7, -8, 9), offsets, dtype: 'int64', padValue: 3 },
  weights: { kind: 'ragged', values: Float32Array.of(1, 2, 3, 4, 0.1), offsets, dtype: 'float32', padValue: 0 },
  attention_mask: { kind: 'mask', of: 'input_ids', dtype: 'int64' },
  token_type_ids: { kind: 'zeros', of: 'input_ids', dtype: 'int64' },
  labels: { kind: 'fixed', values: BigInt64Array.of(2n, 0n, 1n), dims: [], dtype: 'int64' },
  image: { kind: 'fixed', values: Uint8Array.of(1, 2, 3, 4, 5, 6), dims: [2], dtype: 'float32' },
  pixel_values: {
    kind: 'pixels',
    values: Uint8Array.of(1, 2, 3, 4, 5, 6),
    dims: [1, 1, 2],
    levels: Float32Array.from({ length: 256 }, (_, level) => level / 2),
    dtype: 'float32',
  },
});

test('a data set survives its buffer', () => {
  const back = deserializeDataset(serializeDataset(dataset));
  expect(back).toEqual(dataset);
  expect(gatherBatch(back, [2, 1, 0])).toEqual(gatherBatch(dataset, [2, 1, 0]));
});

test('equal data sets give equal bytes, and arrays that columns share are written once', () => {
  const bytes = serializeDataset(dataset);
  expect(serializeDataset({ ...dataset })).toEqual(bytes);
  const { weights } = dataset.columns;
  const apart = tensorDataset({
    ...dataset.columns,
    weights: { ...weights, offsets: offsets.slice() } as typeof weights & {},
  });
  expect(serializeDataset(apart).length).toBeGreaterThan(bytes.length);
});

test('arrays are views of the buffer, wherever it begins', () => {
  const bytes = serializeDataset(dataset);
  const within = new Uint8Array(bytes.length + 16);
  within.set(bytes, 8);
  const back = deserializeDataset(within.subarray(8, 8 + bytes.length));
  expect(back).toEqual(dataset);
  const { labels } = back.columns;
  expect(labels?.kind === 'fixed' && labels.values.buffer).toBe(within.buffer);
  const odd = new Uint8Array(bytes.length + 3);
  odd.set(bytes, 3);
  expect(deserializeDataset(odd.subarray(3))).toEqual(dataset);
});

test('every truncation and every lie is refused', () => {
  const bytes = serializeDataset(dataset);
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + new DataView(bytes.buffer).getUint32(4, true)));
  // The last array is padded to 64 bytes, which may be missing.
  for (let length = 0; length < bytes.length - 64; length += 7) {
    expect(() => deserializeDataset(bytes.subarray(0, length)), String(length)).toThrow(/data set buffer/);
  }
  const lie = (from: string, to: string): Uint8Array => {
    expect(header).toContain(from);
    const changed = bytes.slice();
    changed.set(new TextEncoder().encode(header.replace(from, to.padEnd(from.length))), 8);
    return changed;
  };
  expect(() => deserializeDataset(lie('"at":64', '"at":-4'))).toThrow(/does not fit/);
  expect(() => deserializeDataset(lie('"length":3', '"length":-'))).toThrow(/not JSON/);
  expect(() => deserializeDataset(lie('Int32Array', 'Int33Array'))).toThrow(/without a type/);
  expect(() => deserializeDataset(lie('"length":3', '"length":2'))).toThrow(/rows/);
  expect(() => deserializeDataset(lie('{"columns"', '["columns"'))).toThrow(/not JSON/);
  expect(() => deserializeDataset(lie('"columns"', '"column_"'))).toThrow(/no columns/);
  expect(() => deserializeDataset(lie('"at":64', '"at":65'))).toThrow(/does not fit/);
  expect(() => deserializeDataset(new Uint8Array(100))).toThrow(/LDS1/);
});
