import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Fetched, type FetchOptions, fetchModel, parseSource } from '../../src/zoo/index.ts';
import { sha256 } from './stand-in-hub.ts';

const WEIGHTS = Uint8Array.from({ length: 200_000 }, (_, index) => (index * 11 + (index >> 7)) & 255);

let server: Server;
let port: number;
let home: string;
let asked: { range: string | undefined; known: string | undefined }[];
/** Answers in place of the usual, first come first. */
let faults: ((request: IncomingMessage, response: ServerResponse) => void)[];
let content: Uint8Array;
beforeEach(async () => {
  [asked, faults, content] = [[], [], WEIGHTS];
  home = mkdtempSync(join(tmpdir(), 'lathe-web-'));
  server = createServer((request, response) => {
    const { range, 'if-none-match': known } = request.headers;
    asked.push({ range, known });
    const fault = faults.shift();
    if (fault !== undefined) return fault(request, response);
    const etag = `"${sha256(content).slice(0, 8)}"`;
    if (known === etag) return void response.writeHead(304).end();
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const rest = content.subarray(start);
    const partly = start > 0 && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` };
    response.writeHead(partly ? 206 : 200, { etag, 'content-length': rest.length, ...partly });
    response.end(rest);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  ({ port } = server.address() as AddressInfo);
});
afterEach(async () => {
  await close();
  rmSync(home, { recursive: true, force: true });
});

const close = async (): Promise<void> => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
};
let notices: string[];
const pull = (hash = '', options: Partial<FetchOptions> = {}): Promise<Fetched> => {
  notices = [];
  return fetchModel(parseSource(`http://127.0.0.1:${port}/models/one%20model.onnx${hash}`), {
    env: { LATHE_CACHE: home },
    mostBytes: 1e9,
    retryDelayMs: 1,
    notice: (line) => notices.push(line),
    ...options,
  });
};
const fileOf = ({ folder, files }: Fetched): Buffer => readFileSync(join(folder, files[0]!.path));

describe('a file of a web server', () => {
  it('with a hash is fetched once and checked', async () => {
    const first = await pull(`#sha256=${sha256(WEIGHTS)}`);
    expect(first.files).toEqual([{ path: 'one_model.onnx', bytes: WEIGHTS.length, sha256: sha256(WEIGHTS) }]);
    expect(fileOf(first).equals(WEIGHTS)).toBe(true);
    expect((await pull(`#sha256=${sha256(WEIGHTS)}`)).folder).toBe(first.folder);
    expect([asked.length, notices]).toEqual([1, []]);
  });

  it('of another content than its hash says is refused, and not kept', async () => {
    const other = createHash('sha256').update('other').digest('hex');
    await expect(pull(`#sha256=${other}`)).rejects.toMatchObject({ code: 'corrupt' });
    await expect(pull(`#sha256=${other}`)).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('goes on where the connection was cut', async () => {
    faults.push((_, response) => {
      response.writeHead(200, { etag: `"${sha256(WEIGHTS).slice(0, 8)}"`, 'content-length': WEIGHTS.length });
      response.write(WEIGHTS.subarray(0, 70_000), () => setTimeout(() => response.destroy(), 20));
    });
    expect(fileOf(await pull(`#sha256=${sha256(WEIGHTS)}`)).equals(WEIGHTS)).toBe(true);
    // One byte again: a server refuses to send the rest where there may be none.
    expect(asked.at(-1)!.range).toBe('bytes=69999-');
  });

  it('without a hash is asked about each time, and its hash is told', async () => {
    await pull();
    expect(notices).toEqual([expect.stringContaining(`#sha256=${sha256(WEIGHTS)}`)]);
    expect(fileOf(await pull()).equals(WEIGHTS)).toBe(true);
    expect(asked[1]!.known).toBe(`"${sha256(WEIGHTS).slice(0, 8)}"`);
    content = WEIGHTS.slice(0, 1000);
    const changed = await pull();
    expect(fileOf(changed).equals(content)).toBe(true);
    expect(changed.files[0]!.sha256).toBe(sha256(content));
  });

  it('is taken from the cache when its server is gone', async () => {
    await pull();
    await close();
    expect(await pull()).toMatchObject({ files: [{ bytes: WEIGHTS.length }] });
    expect(notices.at(-2)).toMatch(/cannot reach 127\.0\.0\.1:\d+.*using what was fetched before/);
  });

  it('over the limit, or not there, is refused', async () => {
    await expect(pull('', { mostBytes: 1000 })).rejects.toMatchObject({ code: 'usage' });
    faults.push((_, response) => void response.writeHead(404).end());
    await expect(pull()).rejects.toMatchObject({ code: 'not-found' });
  });
});
