import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Fetched, type FetchOptions, fetchFromHub, type HubSource, parseSource } from '../../src/zoo/index.ts';
import { COMMIT, cutAfter, gitSha1, instead, type StandInHub, sha256, standInHub, status } from './stand-in-hub.ts';

const WEIGHTS = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) & 255);
const CONFIG = Buffer.from('{"model_type":"bert"}');
const FILES = {
  'config.json': CONFIG,
  'README.md': Buffer.from('# A model'),
  'tokenizer.json': Buffer.from('{}'),
  'model.safetensors': WEIGHTS,
  'onnx/model.onnx': Buffer.from('onnx'),
  'pytorch_model.bin': Buffer.from('pickle'),
};
const BLOB = sha256(WEIGHTS);

let hub: StandInHub;
let home: string;
beforeEach(async () => {
  hub = await standInHub(FILES);
  home = mkdtempSync(join(tmpdir(), 'lathe-zoo-'));
});
afterEach(async () => {
  await hub.close();
  rmSync(home, { recursive: true, force: true });
});

const pull = (
  text = 'hf:org/name',
  env: Readonly<Record<string, string>> = {},
  options: Partial<FetchOptions> = {},
): Promise<Fetched> =>
  fetchFromHub(parseSource(text) as HubSource, {
    env: { HF_ENDPOINT: hub.endpoint, HF_HOME: home, ...env },
    mostBytes: 1e9,
    retryDelayMs: 1,
    ...options,
  });
const repository = (...path: string[]): string => join(home, 'hub', 'models--org--name', ...path);
const expectWhole = (fetched: Fetched): void => {
  expect(fetched.files.map(({ path }) => path)).toEqual([
    'README.md',
    'config.json',
    'model.safetensors',
    'tokenizer.json',
  ]);
  expect(readFileSync(join(fetched.folder, 'model.safetensors')).equals(WEIGHTS)).toBe(true);
  expect(readdirSync(repository('blobs')).sort()).toEqual(
    [CONFIG, FILES['README.md'], FILES['tokenizer.json']].map(gitSha1).concat(BLOB).sort(),
  );
  expect(readdirSync(join(home, 'hub', '.locks', 'models--org--name'))).toEqual([]);
};

describe('a repository of the Hub', () => {
  it('is in the shared cache with what Lathe needs of it, and is not fetched again', async () => {
    const fetched = await pull();
    expectWhole(fetched);
    expect(fetched).toMatchObject({ commit: COMMIT, format: 'safetensors', licence: 'apache-2.0' });
    expect(fetched.folder).toBe(repository('snapshots', COMMIT));
    expect(readFileSync(repository('refs', 'main'), 'utf8')).toBe(COMMIT);
    expect(readlinkSync(join(fetched.folder, 'model.safetensors'))).toBe(join('..', '..', 'blobs', BLOB));
    hub.asked.length = 0;
    await pull();
    expect(hub.asked.map(({ path }) => path)).toEqual(['/api/models/org/name/revision/main']);
  });

  it('gives one file, or a folder', async () => {
    expect((await pull('hf:org/name/onnx')).files.map(({ path }) => path)).toEqual(['onnx/model.onnx']);
    await expect(pull('hf:org/name/onnx/modle.onnx')).rejects.toThrow(/no file or folder.*\n.*onnx\/model.onnx/);
  });

  it('has copies where links are not to be had', async () => {
    const { folder } = await pull('hf:org/name', { HF_HUB_DISABLE_SYMLINKS: '1' });
    expect(lstatSync(join(folder, 'model.safetensors')).isFile()).toBe(true);
    expect(readFileSync(join(folder, 'model.safetensors')).equals(WEIGHTS)).toBe(true);
  });

  it('names what it cannot use before weights are fetched, and takes ONNX in their place', async () => {
    const refusal = (config: unknown) => `model type ${JSON.stringify(config)} is not supported`;
    await expect(pull('hf:org/name', {}, { refusal, format: 'safetensors' })).rejects.toThrow(
      /"model_type":"bert".*not supported\n.*--format onnx/,
    );
    expect(hub.asked.some(({ host }) => host === 'storage')).toBe(false);
    expect((await pull('hf:org/name', {}, { refusal })).format).toBe('onnx');
  });

  it('is refused over the limit before it is fetched', async () => {
    await expect(pull('hf:org/name', {}, { mostBytes: 1000 })).rejects.toThrow(
      /300 kB are to be fetched, over the limit of 1\.0 kB\n.*model\.safetensors 300 kB/,
    );
    expect(hub.asked.some(({ host }) => host === 'storage')).toBe(false);
  });
});

describe('the token', () => {
  it('goes to the Hub, never to the storage that it leads to, and is not said', async () => {
    const notices: string[] = [];
    hub.faults.push({ path: 'storage:', fault: status(500) });
    await pull('hf:org/name', { HF_TOKEN: 'hf_secret' }, { notice: (line) => notices.push(line) });
    for (const { host, authorization } of hub.asked)
      expect(authorization).toBe(host === 'hub' ? 'Bearer hf_secret' : undefined);
    expect(hub.asked.some(({ host }) => host === 'storage')).toBe(true);
    expect(notices).toHaveLength(1);
    expect(notices.join()).not.toMatch(/hf_secret|Signature/);
  });

  it('is read from where the Hub’s own tools keep it', async () => {
    writeFileSync(join(home, 'token'), 'hf_kept\n');
    await pull();
    expect(hub.asked[0]!.authorization).toBe('Bearer hf_kept');
    await expect(pull('hf:org/name', { HF_TOKEN: 'hf bad' })).rejects.toThrow(/^HF_TOKEN holds no token/);
  });
});

describe('a fetch that goes wrong', () => {
  it('goes on from where the connection broke', async () => {
    hub.faults.push({ path: 'storage:', fault: cutAfter(WEIGHTS, 100_000) });
    expectWhole(await pull());
    const ranges = hub.asked.filter(({ host }) => host === 'storage').map(({ range }) => range);
    expect(ranges).toEqual([undefined, 'bytes=100000-']);
  });

  it('starts over where the content is another than before', async () => {
    const other = WEIGHTS.map((value) => value ^ 1);
    hub.faults.push({ path: 'storage:', fault: cutAfter(other, 100_000) });
    expectWhole(await pull());
  });

  it('keeps nothing of a content with a wrong hash', async () => {
    const wrong = WEIGHTS.map((value) => value ^ 1);
    const fault = instead(wrong);
    hub.faults.push({ path: 'storage:', fault }, { path: 'storage:', fault });
    await expect(pull()).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(BLOB) });
    expect(readdirSync(repository('blobs')).some((name) => name.startsWith(BLOB))).toBe(false);
  });

  it('waits as long as it is asked to', async () => {
    hub.faults.push({ path: 'hub:/api', fault: status(429, { 'retry-after': '1' }) });
    const started = Date.now();
    expectWhole(await pull());
    expect(Date.now() - started).toBeGreaterThanOrEqual(990);
  });

  it('ends where a server says nothing', async () => {
    for (let tries = 0; tries < 5; tries++) hub.faults.push({ path: 'hub:/api', fault: () => true });
    await expect(pull('hf:org/name', {}, { timeoutMs: 30 })).rejects.toThrow(/did not answer for 0\.03 s/);
  });

  it.each([
    [401, {}, 'access', /no such repository, or it is private.*\n.*HF_TOKEN/],
    [403, { 'x-error-code': 'GatedRepo' }, 'access', /gated.*\n.*Accept them at .*\/org\/name, then set HF_TOKEN/],
    [404, { 'x-error-code': 'RepoNotFound' }, 'not-found', /no such repository/],
    [404, { 'x-error-code': 'RevisionNotFound' }, 'not-found', /no such revision/],
  ])('says what %i %o means', async (code, headers, name, message) => {
    hub.faults.push({ path: 'hub:/api', fault: status(code, headers as Record<string, string>) });
    await expect(pull()).rejects.toMatchObject({ code: name, message: expect.stringMatching(message) });
    expect(hub.asked).toHaveLength(1);
  });
});

describe('the lock', () => {
  it('lets two fetch the same once', async () => {
    const [first, second] = await Promise.all([pull(), pull()]);
    expectWhole(first);
    expectWhole(second);
    expect(hub.asked.filter(({ host }) => host === 'storage')).toHaveLength(1);
  });

  it('of a process that is gone holds nobody up, and its part is gone on with', async () => {
    const { hostname } = await import('node:os');
    let machine = hostname();
    try {
      machine += ` ${readlinkSync('/proc/self/ns/pid')}`;
    } catch {}
    const locks = join(home, 'hub', '.locks', 'models--org--name');
    mkdirSync(locks, { recursive: true });
    mkdirSync(repository('blobs'), { recursive: true });
    writeFileSync(join(locks, `${BLOB}.lathe.lock`), JSON.stringify({ token: 'x', pid: 2 ** 22 + 1, machine }));
    writeFileSync(repository('blobs', `${BLOB}.lathe.incomplete`), WEIGHTS.subarray(0, 200_000));
    expectWhole(await pull());
    expect(hub.asked.find(({ host }) => host === 'storage')!.range).toBe('bytes=200000-');
  });
});

describe('without a network', () => {
  it('the cache does, also one that another library filled', async () => {
    const folder = repository('snapshots', COMMIT);
    for (const name of ['config.json', 'model.safetensors'] as const) {
      const blob = repository('blobs', name === 'config.json' ? gitSha1(CONFIG) : BLOB);
      for (const path of [folder, dirname(blob), repository('refs')]) mkdirSync(path, { recursive: true });
      writeFileSync(blob, FILES[name]);
      symlinkSync(join('..', '..', 'blobs', blob.split(/[\\/]/).at(-1)!), join(folder, name));
    }
    writeFileSync(repository('refs', 'main'), COMMIT);
    const offline = await pull('hf:org/name', { HF_HUB_OFFLINE: '1' });
    expect(offline).toMatchObject({ folder, commit: COMMIT, format: 'safetensors' });
    expect(hub.asked).toEqual([]);
    const notices: string[] = [];
    await pull('hf:org/name', { HF_ENDPOINT: 'http://127.0.0.1:9' }, { notice: (line) => notices.push(line) });
    expect(notices.at(-1)).toMatch(/using what the cache has/);
  });

  it('and without anything cached it says so', async () => {
    await expect(pull('hf:org/name', { HF_HUB_OFFLINE: '1' })).rejects.toThrow(
      /HF_HUB_OFFLINE is set, and the cache has nothing of it\n.*lathe zoo pull hf:org\/name/,
    );
  });
});
