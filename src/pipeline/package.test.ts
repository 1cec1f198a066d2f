import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { numbersOf, tensorFrom } from '../base/index.ts';
import { GraphBuilder, type Model, readModel, tensorOf } from '../graph/index.ts';
import { MANIFEST_FILE } from './manifest.ts';
import { MODEL_FILE, openPackage, type PackageContents, writePackage } from './package.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lathe-package-'));
  path = join(folder, 'model');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function model(weight = [1, 2]): Model {
  const graph = new GraphBuilder();
  const x = graph.input('x', 'float32', ['batch', 2]);
  const w = graph.initializer('w', tensorFrom('float32', weight, [2]));
  graph.output(graph.mul(x, w), { dtype: 'float32', shape: ['batch', 2] }, 'logits');
  return graph.build({ name: 'test' });
}

function contents(changes: Partial<PackageContents> = {}): PackageContents {
  return {
    model: model(),
    manifest: {
      task: 'text-classification',
      labels: ['a', 'b'],
      pipeline: {
        input: 'text',
        steps: [{ step: 'normalize-unicode' }],
        features: { kind: 'n-grams' },
        output: { name: 'logits', scores: 'softmax' },
      },
      columns: { text: 'text', label: 'label' },
      metrics: [],
      lineage: {
        step: 'train',
        settings: { epochs: 3 },
        seed: 42,
        dataHash: 'abc',
        versions: { lathe: '0.1.0' },
        createdAt: '2026-01-01T00:00:00.000Z',
      },
    },
    files: { 'config.json': '{}\n', 'nested/notes.txt': 'ä\n' },
    ...changes,
  };
}

/** Writes a manifest with one thing changed. */
function edit(change: (manifest: Record<string, unknown>) => void): void {
  const file = join(path, MANIFEST_FILE);
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  change(manifest);
  writeFileSync(file, JSON.stringify(manifest));
}

describe('a package', () => {
  it('comes back as it was written', async () => {
    const written = await writePackage(path, contents());
    const opened = await openPackage(path);
    await opened.verify();
    expect(opened.manifest).toEqual(written.manifest);
    expect(opened.manifest).toMatchObject(contents().manifest);
    expect(opened.manifest.signature).toEqual({
      inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 2] }],
      outputs: [{ name: 'logits', dtype: 'float32', shape: ['batch', 2] }],
    });
    expect(opened.manifest.variants.fp32).toMatchObject({ file: MODEL_FILE, parameters: 2 });
    expect(await opened.readText('nested/notes.txt')).toBe('ä\n');
    const { graph } = await readModel(opened.modelPath());
    expect(numbersOf(tensorOf(graph.initializers.get('w')!))).toEqual([1, 2]);
    expect(Object.keys(opened.manifest.files).sort()).toEqual(['config.json', 'nested/notes.txt', MODEL_FILE]);
    expect(readdirSync(folder)).toEqual(['model']);
  });

  it('has known hashes', async () => {
    const { manifest } = await writePackage(path, contents());
    // printf '{}\n' | sha256sum
    expect(manifest.files['config.json']).toEqual({
      bytes: 3,
      sha256: 'ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356',
    });
  });

  it('takes the place of an older one', async () => {
    await writePackage(path, contents({ files: { 'old.txt': 'old' } }));
    await writePackage(path, contents({ model: model([3, 4]) }));
    expect(existsSync(join(path, 'old.txt'))).toBe(false);
    expect(readdirSync(folder)).toEqual(['model']);
  });

  it('does not take the place of other folders', async () => {
    mkdirSync(path);
    writeFileSync(join(path, 'thesis.tex'), 'years of work');
    await expect(writePackage(path, contents())).rejects.toMatchObject({ code: 'usage' });
    expect(readFileSync(join(path, 'thesis.tex'), 'utf8')).toBe('years of work');
  });

  it('is left as it was, with nothing beside it, when writing fails half-way', async () => {
    const before = await writePackage(path, contents());
    const broken = contents({ files: { 'config.json': '{}', 'config.json/inside': 'a file is no folder' } });
    await expect(writePackage(path, broken)).rejects.toThrow();
    const unknown = { ...model(), graph: { ...model().graph, outputs: [{ name: 'logits' }] } };
    await expect(writePackage(path, contents({ model: unknown }))).rejects.toThrow('"logits"');
    expect(readdirSync(folder)).toEqual(['model']);
    const after = await openPackage(path);
    await after.verify();
    expect(after.manifest).toEqual(before.manifest);
  });

  it('does not appear when writing fails the first time', async () => {
    await expect(writePackage(path, contents({ files: { a: 'x', 'a/b': 'y' } }))).rejects.toThrow();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['../outside.txt', 'nested/../../outside.txt'])('is not written outside itself: %s', async (name) => {
    await expect(writePackage(path, contents({ files: { [name]: 'x' } }))).rejects.toThrow('leads out of it');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('notices one flipped bit of the model', async () => {
    await writePackage(path, contents());
    const file = join(path, MODEL_FILE);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
    const opened = await openPackage(path);
    await expect(opened.verify()).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(`"${MODEL_FILE}" has changed since it was written`),
    });
  });

  it('notices files that are missing or of another size as it opens', async () => {
    await writePackage(path, contents());
    writeFileSync(join(path, 'config.json'), '{} \n');
    await expect(openPackage(path)).rejects.toThrow('"config.json" should have 3 bytes, it has 4');
    rmSync(join(path, 'config.json'));
    await expect(openPackage(path)).rejects.toThrow('"config.json" should have 3 bytes, it is missing');
  });

  it.each(['../secret', 'onnx/../../secret', '/etc/passwd', 'C:\\secret', '..\\secret'])(
    'reads nothing outside its folder: %s',
    async (name) => {
      await writePackage(path, contents());
      edit((manifest) => {
        manifest.files = { [name]: { bytes: 1, sha256: '' } };
      });
      await expect(openPackage(path)).rejects.toThrow('leads out of it');
      edit((manifest) => {
        manifest.files = {};
        manifest.variants = { fp32: { file: name, bytes: 1, parameters: 1 } };
      });
      const opened = await openPackage(path);
      expect(() => opened.modelPath()).toThrow('leads out of it');
      await expect((async () => opened.readText(name))()).rejects.toThrow('leads out of it');
    },
  );

  it('of a newer version says that it is one', async () => {
    await writePackage(path, contents());
    edit((manifest) => {
      manifest.version = 2;
    });
    await expect(openPackage(path)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringMatching(/version[\s\S]*newer version of Lathe/),
    });
  });

  it.each([
    ['no JSON', '{', 'lathe.json is not JSON'],
    ['an empty file', '', 'lathe.json is not JSON'],
    ['another kind of JSON', '[]', 'top level'],
    ['a manifest without fields', '{}', 'lathe.json, format'],
  ])('refuses %s', async (_, text, problem) => {
    await writePackage(path, contents());
    writeFileSync(join(path, MANIFEST_FILE), text);
    await expect(openPackage(path)).rejects.toThrow(problem);
  });

  it('that is none is named', async () => {
    await expect(openPackage(path)).rejects.toMatchObject({ code: 'not-found' });
    const { modelPath } = await writePackage(path, contents());
    expect(() => modelPath('int8')).toThrow('has no variant "int8"; it has fp32');
  });
});
