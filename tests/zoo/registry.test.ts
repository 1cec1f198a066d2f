import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Fetched, type FetchOptions, fetchModel, parseSource } from '../../src/zoo/index.ts';

const MODEL = Buffer.alloc(5000, 'model');
let server: Server;
let home: string;
let tarball: Buffer;
let asked: string[];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'lathe-registry-'));
  const source = join(home, 'source', 'package');
  mkdirSync(join(source, 'assets'), { recursive: true });
  writeFileSync(
    join(source, 'package.json'),
    JSON.stringify({
      name: '@org/models',
      version: '1.2.0',
      license: 'MIT',
      dependencies: { 'not-to-be-fetched': '1.0.0' },
      scripts: { install: 'exit 1', postinstall: 'exit 1' },
    }),
  );
  writeFileSync(join(source, 'assets', 'one.onnx'), MODEL);
  writeFileSync(join(source, 'assets', 'labels.txt'), 'a\nb\n');
  writeFileSync(join(source, 'index.js'), '');
  symlinkSync('/', join(source, 'assets', 'root'));
  await create({ file: join(home, 'models.tgz'), cwd: join(home, 'source'), gzip: true }, ['package']);
  tarball = readFileSync(join(home, 'models.tgz'));
  server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!);
    asked.push(path);
    if (path === '/tarballs/models.tgz') return void response.end(tarball);
    if (path !== '/@org/models') return void response.writeHead(404).end('{"error":"not found"}');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tarballs/models.tgz`;
    const integrity = `sha512-${createHash('sha512')
      .update(readFileSync(join(home, 'models.tgz')))
      .digest('base64')}`;
    const version = { name: '@org/models', version: '1.2.0', license: 'MIT' };
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        name: '@org/models',
        'dist-tags': { latest: '1.2.0' },
        versions: { '1.2.0': { ...version, dist: { tarball: url, integrity, unpackedSize: 6000 } } },
      }),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
beforeEach(() => {
  asked = [];
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(home, { recursive: true, force: true });
});

let caches = 0;
const newCache = (): string => join(home, `cache-${caches++}`);
const pull = (text: string, cache: string, options: Partial<FetchOptions> = {}): Promise<Fetched> =>
  fetchModel(
    parseSource(text),
    {
      env: {
        ...process.env,
        LATHE_CACHE: cache,
        npm_config_registry: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        npm_config_cache: join(cache, 'of-npm'),
        npm_config_fetch_retries: '0',
      },
      mostBytes: 1e6,
      ...options,
    },
    home,
  );

/** The real npm, before a registry of the tests. */
describe('a package that is not installed', () => {
  it('is fetched from the registry, without links, scripts or dependencies', async () => {
    const cache = newCache();
    const fetched = await pull('npm:@org/models', cache);
    expect(fetched).toMatchObject({ version: '1.2.0', licence: 'MIT' });
    expect(fetched.files.map(({ path }) => path)).toEqual(['assets/labels.txt', 'assets/one.onnx']);
    expect(readFileSync(join(fetched.folder, 'assets', 'one.onnx')).equals(MODEL)).toBe(true);
    expect(readdirSync(join(fetched.folder, 'assets'))).toEqual(['labels.txt', 'one.onnx']);
    expect(asked.filter((path) => path.includes('not-to-be-fetched'))).toEqual([]);
    expect(readdirSync(join(cache, 'npm'))).toEqual(['@org+models@1.2.0']);
  });

  it('in an exact version is asked about once', async () => {
    const cache = newCache();
    const first = await pull('npm:@org/models@1.2.0/assets/one.onnx', cache);
    expect(first.files).toEqual([{ path: 'assets/one.onnx', bytes: MODEL.length }]);
    asked = [];
    expect((await pull('npm:@org/models@1.2.0/assets/one.onnx', cache)).folder).toBe(first.folder);
    expect(asked).toEqual([]);
  });

  it('is fetched by the npm of the process, with its settings, where a caller gives an environment of its own', async () => {
    vi.stubEnv('npm_config_registry', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const cache = join(newCache(), 'with a space');
    const env = { LATHE_CACHE: cache, npm_config_cache: join(cache, 'of-npm') };
    const fetched = await pull('npm:@org/models@1.2.0', cache, { env }).finally(() => vi.unstubAllEnvs());
    expect(fetched.folder).toBe(join(cache, 'npm', '@org+models@1.2.0'));
  });

  it('is fetched once by two that want it', async () => {
    const cache = newCache();
    const both = await Promise.all([pull('npm:@org/models', cache), pull('npm:@org/models', cache)]);
    expect(both[0]!.files).toEqual(both[1]!.files);
    expect(asked.filter((path) => path.startsWith('/tarballs'))).toHaveLength(1);
  });

  it.each([
    ['npm:@org/models@9.9.9', {}, 'not-found'],
    ['npm:@org/missing', {}, 'not-found'],
    ['npm:@org/models', { mostBytes: 100 }, 'usage'],
    ['npm:@org/models/nothing.onnx', {}, 'not-found'],
  ])('%s %j is refused', async (text, options, code) => {
    await expect(pull(text, newCache(), options)).rejects.toMatchObject({ code });
  });

  it('of another content than the registry says is refused, and not kept', async () => {
    const whole = tarball;
    tarball = Buffer.concat([whole.subarray(0, -20), Buffer.alloc(20)]);
    const cache = newCache();
    try {
      await expect(pull('npm:@org/models', cache)).rejects.toMatchObject({ code: 'network' });
      expect(readdirSync(join(cache, 'npm'))).toEqual([]);
    } finally {
      tarball = whole;
    }
  });
});
