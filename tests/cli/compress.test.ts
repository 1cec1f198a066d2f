import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { openPackage } from '../../src/pipeline/index.ts';
import { jsonOf, lathe, temporaryFolder, writeMessages } from './lathe.ts';

// It trains, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = temporaryFolder();
const COMPRESS =
  'compress mini --data messages.csv --student bert-tiny --epochs 10 --prune-to none --budget 0.8 --out small --json';

interface Compressed {
  readonly variant: string;
  readonly way: string;
  readonly reason: string;
  readonly source: { readonly bytes: number };
  readonly chosen: { readonly bytes: number; readonly metrics: { readonly f1: number } };
  readonly front: readonly string[];
}

beforeAll(async () => {
  writeMessages(join(folder, 'messages.csv'), 400);
  const words =
    'train --data messages.csv --arch bert-mini --epochs 4 --no-baseline --max-length 16 --out mini --quiet';
  const ended = await lathe(folder, words.split(' '));
  expect(ended.code, ended.stderr).toBe(0);
});

describe('lathe compress', () => {
  let compressed: Compressed;
  it('ends with the smallest model that keeps the budget, and stops looking behind it', async () => {
    const ended = await lathe(folder, COMPRESS.split(' '));
    expect(ended.code, ended.stderr).toBe(0);
    compressed = jsonOf<Compressed>(ended);
    expect(compressed).toMatchObject({
      variant: 'int8',
      way: 'distill-bert-tiny, int8',
      front: ['distill-bert-tiny, int8'],
    });
    expect(compressed.chosen.bytes).toBeLessThan(compressed.source.bytes / 15);
    expect(ended.stderr).toMatch(/of the score \(budget 80\.0 %\)/);
  });

  it('writes the package of it, whose lineage begins with the teacher', async () => {
    const [source, small] = [await openPackage(join(folder, 'mini')), await openPackage(join(folder, 'small'))];
    await small.verify();
    const { variants, lineage } = small.manifest;
    expect(variants.int8).toMatchObject({ bytes: compressed.chosen.bytes, step: { step: 'quantize' } });
    expect(lineage.from?.teacher?.sha256).toBe(source.manifest.files['onnx/model.onnx']!.sha256);
    const words = 'evaluate small --variant int8 --data messages.csv --split test --json';
    const measured = jsonOf<{ metrics: { f1: number } }>(await lathe(folder, words.split(' ')));
    expect(measured.metrics.f1).toBe(compressed.chosen.metrics.f1);
  });

  it('does nothing twice, and gives the same bytes', async () => {
    const model = () => readFileSync(join(folder, 'small', 'onnx', 'model_int8.onnx'));
    const before = model();
    const again = await lathe(folder, COMPRESS.split(' '));
    expect(again.code, again.stderr).toBe(0);
    expect(again.stderr.match(/nothing changed, kept/g)).toHaveLength(4);
    expect(model().equals(before)).toBe(true);
    const anew = await lathe(folder, COMPRESS.replace('--out small', '--out anew').split(' '));
    expect(anew.code, anew.stderr).toBe(0);
    expect(readFileSync(join(folder, 'anew', 'onnx', 'model_int8.onnx')).equals(before)).toBe(true);
  });

  it('says how close it came where nothing meets the target, and writes no package', async () => {
    const words = COMPRESS.replace('--out small', '--out none --target bytes=10kB');
    const ended = await lathe(folder, words.split(' '));
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /nothing meets the target within the budget of 80\.0 %; closest: distill-bert-tiny, int8/,
    );
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });

  it.each([
    ['--target macs=0.5', /--target: expected latency=5ms/],
    ['--prune-to 2', /--prune-to: expected shares between 0 and 1/],
    ['--budget 2', /--budget/],
    ['--student bert-huge', /--student/],
  ])('%s is refused', async (words, message) => {
    const ended = await lathe(folder, [
      'compress',
      'mini',
      '--data',
      'messages.csv',
      '--out',
      'x',
      ...words.split(' '),
    ]);
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});
