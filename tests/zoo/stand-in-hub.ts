import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = `${'c0ffee'.repeat(6)}abcd`;

export interface Asked {
  readonly host: 'hub' | 'storage';
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** Answers in place of the usual one; returns false to leave it at that. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface StandInHub {
  readonly endpoint: string;
  readonly asked: Asked[];
  /** Run in their order, each for one request whose path holds its text. */
  readonly faults: { readonly path: string; readonly fault: Fault }[];
  close(): Promise<void>;
}

/**
 * A server with the Hub's addresses and headers over one repository, org/name. Files that end in .safetensors or .onnx
 * are large ones: redirected to a storage of another origin, and named by their sha256.
 */
export async function standInHub(files: Readonly<Record<string, Uint8Array>>): Promise<StandInHub> {
  const asked: Asked[] = [];
  const faults: StandInHub['faults'] = [];
  const answer =
    (host: Asked['host'], usual: (path: string, request: IncomingMessage, response: ServerResponse) => void) =>
    (request: IncomingMessage, response: ServerResponse) => {
      const path = decodeURIComponent(request.url!.replace(/\?.*/, ''));
      asked.push({ host, path, range: request.headers.range, authorization: request.headers.authorization });
      const index = faults.findIndex((one) => `${host}:${path}`.includes(one.path));
      const fault = index < 0 ? undefined : faults.splice(index, 1)[0]!.fault;
      if (fault === undefined || !fault(request, response)) usual(path, request, response);
    };
  const storage = await listen(
    answer('storage', (path, request, response) => {
      send(files[path.slice(1)]!, request, response, {});
    }),
  );
  const storageUrl = urlOf(storage);
  const hub = await listen(
    answer('hub', (path, request, response) => {
      if (path.startsWith('/api/models/org/name/revision/')) {
        const siblings = Object.entries(files).map(([rfilename, content]) => ({
          rfilename,
          size: content.byteLength,
          blobId: gitSha1(content),
          ...(isLarge(rfilename) && { lfs: { sha256: sha256(content), size: content.byteLength } }),
        }));
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ sha: COMMIT, siblings, cardData: { license: 'apache-2.0' } }));
        return;
      }
      const file = path.split(`/org/name/resolve/${COMMIT}/`)[1];
      const content = file === undefined ? undefined : files[file];
      if (content === undefined) return void response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
      response.setHeader('x-repo-commit', COMMIT);
      if (!isLarge(file!)) return send(content, request, response, { etag: `"${gitSha1(content)}"` });
      response.writeHead(302, {
        'x-linked-etag': `"${sha256(content)}"`,
        'x-linked-size': content.byteLength,
        location: `${storageUrl}/${file}?Signature=hidden`,
      });
      response.end();
    }),
  );
  return {
    endpoint: urlOf(hub),
    asked,
    faults,
    async close() {
      for (const server of [hub, storage]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

/** Sends the first bytes, and cuts the connection. */
export function cutAfter(content: Uint8Array, bytes: number): Fault {
  return (_, response) => {
    response.writeHead(200, { 'content-length': content.byteLength, etag: tagOf(content) });
    response.write(content.subarray(0, bytes), () => setTimeout(() => response.destroy(), 20));
    return true;
  };
}

/** Sends another content, whole. */
export function instead(content: Uint8Array): Fault {
  return (_, response) => {
    response.writeHead(200, { 'content-length': content.byteLength }).end(content);
    return true;
  };
}

export function status(code: number, headers: Readonly<Record<string, string>> = {}): Fault {
  return (_, response) => {
    response.writeHead(code, headers).end();
    return true;
  };
}

function send(
  content: Uint8Array,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): void {
  const etag = headers.etag ?? tagOf(content);
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN);
  const same = [undefined, etag].includes(request.headers['if-range'] as string | undefined);
  if (!Number.isNaN(start) && same) {
    response.writeHead(206, {
      ...headers,
      etag,
      'content-range': `bytes ${start}-${content.byteLength - 1}/${content.byteLength}`,
      'content-length': content.byteLength - start,
    });
    response.end(content.subarray(start));
    return;
  }
  response.writeHead(200, { ...headers, etag, 'content-length': content.byteLength });
  response.end(content);
}

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handler);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const isLarge = (path: string): boolean => /\.(safetensors|onnx)$/.test(path);
export const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
export const gitSha1 = (content: Uint8Array): string =>
  createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest('hex');
/** A storage's own tag, which is not the Hub's. */
const tagOf = (content: Uint8Array): string => `"storage-${sha256(content).slice(0, 16)}"`;
