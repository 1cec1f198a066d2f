import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tensorFrom } from '../base/index.ts';
import { GraphBuilder, type Model, readModel } from '../graph/index.ts';
import { originOf, writeDerivedPackage } from './derived-package.ts';
import { openPackage, type Package, writePackage } from './package.ts';

let folder: string;
let source: Package;

const STEP = { step: 'quantize', settings: { scheme: 'dynamic' }, seed: 0, versions: { lathe: '0.1.0' } };
const TRAINED = { ...STEP, step: 'train', settings: {}, dataHash: 'abc', createdAt: '2026-01-01T00:00:00.000Z' };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lathe-derived-'));
  source = await writePackage(join(folder, 'source'), {
    model: scaled(2),
    manifest: {
      task: 'text-classification',
      labels: ['a', 'b'],
      pipeline: {
        input: 'text',
        steps: [],
        features: { kind: 'n-grams' },
        output: { name: 'logits', scores: 'softmax' },
      },
      columns: { text: 'text', label: 'label' },
      metrics: [{ split: 'test', dataHash: 'abc', examples: 3, values: { f1: 0.9 } }],
      lineage: TRAINED,
    },
    files: { 'config.json': '{}\n', 'README.md': '# of the source\n' },
  });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function scaled(weight: number): Model {
  const graph = new GraphBuilder();
  const x = graph.input('x', 'float32', ['batch', 2]);
  const w = graph.initializer('w', tensorFrom('float32', [weight, weight], [2]));
  graph.output(graph.mul(x, w), { dtype: 'float32', shape: ['batch', 2] }, 'logits');
  return graph.build({ name: 'test' });
}

it('keeps variants side by side, each with the step that made it and what it scored', async () => {
  const out = join(folder, 'out');
  const values = { f1: 0.89 };
  await writeDerivedPackage(out, source, {
    variants: { int8: { model: scaled(3), step: STEP, batchInvariant: false } },
    metrics: [{ split: 'test', variant: 'int8', dataHash: 'abc', examples: 3, values }],
  });
  const half = { model: scaled(4), step: { ...STEP, settings: { scheme: 'fp16' } } };
  // The source may be the package that is written.
  const written = await writeDerivedPackage(out, await openPackage(out), { variants: { fp16: half } });
  await written.verify();
  expect(written.manifest.variants).toMatchObject({
    fp32: source.manifest.variants.fp32!,
    int8: { file: 'onnx/model_int8.onnx', parameters: 2, batchInvariant: false, step: STEP },
    fp16: { file: 'onnx/model_fp16.onnx', step: { settings: { scheme: 'fp16' } } },
  });
  expect(written.manifest.metrics.map(({ variant, values: { f1 } }) => [variant, f1])).toEqual([
    [undefined, 0.9],
    ['int8', 0.89],
  ]);
  expect(written.manifest.lineage).toEqual(TRAINED);
  const weights = await Promise.all(
    ['fp32', 'int8', 'fp16'].map(async (variant) => (await readModel(written.modelPath(variant))).graph),
  );
  expect(weights.map(({ initializers }) => [...initializers.keys()])).toEqual([['w'], ['w'], ['w']]);
});

it('puts a new model in the place of the old one, and tells what it came from', async () => {
  const both = await writeDerivedPackage(join(folder, 'both'), source, {
    variants: { int8: { model: scaled(3), step: STEP } },
  });
  const lineage = { ...TRAINED, step: 'prune', from: { source: originOf(both) } };
  const written = await writeDerivedPackage(join(folder, 'pruned'), both, {
    model: scaled(5),
    lineage,
    files: { 'README.md': '# pruned\n' },
  });
  await written.verify();
  // The small form of the old model is none of the new one, nor are its figures.
  expect(Object.keys(written.manifest.variants)).toEqual(['fp32']);
  expect(Object.keys(written.manifest.files).sort()).toEqual(['README.md', 'config.json', 'onnx/model.onnx']);
  expect(written.manifest.metrics).toEqual([]);
  expect(await written.readText('README.md')).toBe('# pruned\n');
  const { from } = written.manifest.lineage;
  expect(from?.source).toEqual({ sha256: source.manifest.files['onnx/model.onnx']!.sha256, lineage: TRAINED });
});

it('leaves nothing half-written, and nothing of others touched', async () => {
  writeFileSync(join(folder, 'file'), 'mine');
  await expect(
    writeDerivedPackage(join(folder, 'file'), source, { variants: { int8: { model: scaled(3), step: STEP } } }),
  ).rejects.toThrow('exists and is not a package');
  rmSync(join(source.folder, 'config.json'));
  const out = join(folder, 'out');
  await expect(
    writeDerivedPackage(out, source, { variants: { int8: { model: scaled(3), step: STEP } } }),
  ).rejects.toThrow('config.json');
  expect(() => statSync(out)).toThrow('ENOENT');
});
