import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deserializeDataset, serializeDataset } from '../dataset-buffer.ts';
import { closeDataset, gatherBatch, type TensorDataset, tensorDataset } from '../tensor-dataset.ts';
import { openPixelFile, type PixelFile, pixelStore } from './pixel-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-pixels-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const levels = Float32Array.from({ length: 256 }, (_, level) => level / 4);
const rows = Array.from({ length: 50 }, (_, row) =>
  Uint8Array.from({ length: 6 }, (_, at) => (row * 7 + at * 31) % 256),
);
const datasetOf = (values: Uint8Array | PixelFile): TensorDataset =>
  tensorDataset({ x: { kind: 'pixels', values, dims: [1, 2, 3], levels, dtype: 'float32' } });

async function stored(most: number): Promise<Uint8Array | PixelFile> {
  const store = await pixelStore(300, join(folder, 'pixels.bin'), most);
  for (const row of rows) await store.append(row);
  return store.finish();
}

test('pixels in a file make the batches that pixels in memory make', async () => {
  const [memory, file] = [await stored(300), await stored(299)];
  expect(memory).toBeInstanceOf(Uint8Array);
  expect(file).not.toBeInstanceOf(Uint8Array);
  const [held, read] = [datasetOf(memory), datasetOf(file)];
  expect(read.size).toBe(50);
  expect(gatherBatch(read, [49, 0, 7])).toEqual(gatherBatch(held, [49, 0, 7]));
  closeDataset(read);
});

test('another process finds the file by its name', async () => {
  const dataset = datasetOf(await stored(0));
  const bytes = serializeDataset(dataset);
  expect(bytes.length).toBeLessThan(2000);
  const back = deserializeDataset(bytes, (file) => openPixelFile(join(folder, file.name), file));
  expect(gatherBatch(back, [3, 48])).toEqual(gatherBatch(dataset, [3, 48]));
  expect(() => deserializeDataset(bytes)).toThrow('column "x" is in a file, and there is none');
  for (const one of [dataset, back]) closeDataset(one);
});

test('other pixels are another data set', async () => {
  const first = serializeDataset(datasetOf(await stored(0)));
  rows[3]![2]! ^= 1;
  expect(serializeDataset(datasetOf(await stored(0)))).not.toEqual(first);
});

test('a file of another length is refused', async () => {
  const path = join(folder, 'pixels.bin');
  await writeFile(path, 'abc');
  expect(() => openPixelFile(path, { length: 4, sha256: '' })).toThrow(/should have 4 bytes, it has 3/);
  const file = openPixelFile(path, { length: 3, sha256: '' });
  await truncate(path, 1);
  expect(() => file.read(0, 3)).toThrow(/became shorter/);
  file.close();
});
