import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { decodeModel, type Model } from '../src/graph/index.ts';

/** The graphs of networks by name, without weights: see pack.py beside the files. */
export function networks(): Readonly<Record<string, Model>> {
  const folder = join(import.meta.dirname, 'fixtures/onnx-networks');
  const files = readdirSync(folder).filter((name) => name.endsWith('.onnx.gz'));
  return Object.fromEntries(
    files.map((name) => [name.replace('.onnx.gz', ''), decodeModel(gunzipSync(readFileSync(join(folder, name))))]),
  );
}
