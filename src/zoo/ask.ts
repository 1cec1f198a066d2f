import { setTimeout as sleep } from 'node:timers/promises';
import { LatheError } from '../base/errors.ts';
import { isLoopback, withoutSecrets } from './source.ts';

/** How a server is spoken to. */
export interface Manners {
  readonly signal?: AbortSignal | undefined;
  /** How long nothing may come, before the first byte and between any two. Default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** The first wait before another try; each further one is twice as long. Default 1 s. */
  readonly retryDelayMs?: number | undefined;
  /** Told what goes on besides progress: a wait, another try, a copy used instead. */
  readonly notice?: ((line: string) => void) | undefined;
}

/** A server's answer, its content still to come. */
export interface Answer {
  /** Where it came from, behind all redirects. */
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  /** The headers of the redirects that led here, in order. */
  readonly redirects: readonly Headers[];
  /** The content in pieces. Throws TryAgain when it stops coming. */
  body(): AsyncGenerator<Uint8Array>;
  /** Ends the connection. */
  discard(): void;
}

/** A failure that may be none a moment later. */
export class TryAgain extends LatheError {
  /** How long the server asks to be left alone. */
  readonly afterMs: number | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown; afterMs?: number | undefined } = {}) {
    super('network', message, options);
    this.afterMs = options.afterMs;
  }
}

const TIMEOUT_MS = 30_000;
const MOST_REDIRECTS = 10;
const MOST_TRIES = 5;
/** A server that wants more patience than this gets none: the user is told instead. */
const LONGEST_WAIT_MS = 120_000;

/**
 * Asks a server once and follows its redirects. `privateHeaders` go to the origin of `url` alone: a redirect elsewhere
 * does not see them. Throws TryAgain where the connection failed, LatheError('network') where another try is no use.
 */
export async function ask(
  url: string | URL,
  options: {
    readonly method?: 'GET' | 'HEAD';
    readonly headers?: Readonly<Record<string, string>>;
    readonly privateHeaders?: Readonly<Record<string, string>>;
  },
  manners: Manners,
): Promise<Answer> {
  const first = new URL(url);
  const redirects: Headers[] = [];
  let here = first;
  for (;;) {
    const headers = {
      // Compressed content has another length, and cannot be gone on with from its middle.
      'accept-encoding': 'identity',
      'user-agent': 'lathe-ml',
      ...options.headers,
      ...(here.origin === first.origin && options.privateHeaders),
    };
    const answer = await askOnce(here, options.method ?? 'GET', headers, redirects, manners);
    const location = answer.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(answer.status) || location === null) return answer;
    answer.discard();
    redirects.push(answer.headers);
    const next = URL.canParse(location, here.href) ? new URL(location, here) : undefined;
    if (next === undefined || !/^https?:$/.test(next.protocol))
      throw new LatheError('network', `${withoutSecrets(here)} leads to what is no web address`);
    if (here.protocol === 'https:' && next.protocol === 'http:' && !isLoopback(next.hostname))
      throw new LatheError('network', `${withoutSecrets(here)} leads from https: to http:, which anyone could change`);
    if (redirects.length > MOST_REDIRECTS)
      throw new LatheError('network', `${withoutSecrets(first)} leads from one address to the next without end`);
    here = next;
  }
}

async function askOnce(
  url: URL,
  method: string,
  headers: Record<string, string>,
  redirects: readonly Headers[],
  { signal, timeoutMs = TIMEOUT_MS }: Manners,
): Promise<Answer> {
  const connection = new AbortController();
  const stop = (): void => connection.abort();
  signal?.addEventListener('abort', stop, { once: true });
  let silent = false;
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      silent = true;
      connection.abort();
    }, timeoutMs);
  };
  const release = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  };
  const failure = (cause: unknown, during: string): unknown => {
    release();
    if (signal?.aborted) return signal.reason;
    if (silent)
      return new TryAgain(`${url.host} ${during === '' ? 'did not answer' : during} for ${timeoutMs / 1000} s`);
    return connectionFailure(url, cause, during);
  };
  let response: Response;
  wait();
  try {
    signal?.throwIfAborted();
    response = await fetch(url.href, { method, headers, redirect: 'manual', signal: connection.signal });
  } catch (cause) {
    throw failure(cause, '');
  }
  clearTimeout(timer);
  return {
    url,
    status: response.status,
    headers: response.headers,
    redirects,
    async *body() {
      try {
        wait();
        for await (const piece of response.body ?? []) {
          // The time that whoever reads this takes is not the server's.
          clearTimeout(timer);
          yield piece as Uint8Array;
          wait();
        }
        release();
      } catch (cause) {
        throw failure(cause, 'sent nothing');
      } finally {
        release();
      }
    },
    discard() {
      release();
      connection.abort();
    },
  };
}

function connectionFailure(url: URL, cause: unknown, during: string): LatheError {
  let inner = cause;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  const { code, message } = inner as NodeJS.ErrnoException;
  if (code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code))
    return new LatheError('network', `${url.host} has no certificate that this machine trusts: ${message}`, {
      hint: 'If it is your own server or proxy, give its authority in NODE_EXTRA_CA_CERTS.',
      cause,
    });
  if (during !== '') return new TryAgain(`the connection to ${url.host} was cut`, { cause });
  const why = code === 'ENOTFOUND' || code === 'EAI_AGAIN' ? 'there is no such host, or no network' : message;
  return new TryAgain(`cannot reach ${url.host}: ${why}`, {
    hint: 'Check the network. Behind a proxy, Node reads HTTPS_PROXY where NODE_USE_ENV_PROXY=1 is set (Node 24).',
    cause,
  });
}

/** The failure that a status is: one to try again for 408, 429 and 5xx. `what` was asked for. */
export function statusFailure(answer: Answer, what: string): LatheError {
  const { status, url } = answer;
  if (status === 408 || status === 429 || status >= 500) {
    const afterMs = retryAfter(answer.headers.get('retry-after'));
    return new TryAgain(`${what}: ${url.host} answered ${status}${status === 429 ? ', too many requests' : ''}`, {
      afterMs,
      hint: 'Try again later.',
    });
  }
  if (status === 401 || status === 403)
    return new LatheError('access', `${what}: ${url.host} answered ${status}, it wants to know who asks`, {
      hint: 'Fetch the file by other means and give its path.',
    });
  if (status === 404 || status === 410)
    return new LatheError('not-found', `${what}: there is nothing at ${withoutSecrets(url)} (${status})`, {
      hint: 'Check the address.',
    });
  return new LatheError('network', `${what}: ${url.host} answered ${status}, which is not expected`);
}

function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

/**
 * Does `work` until it stops throwing TryAgain, with growing waits between: at most five times in a row without progress,
 * and no sooner than the server asks. `work` calls what it is given when it came further than ever before.
 */
export async function withRetries<T>(work: (progressed: () => void) => Promise<T>, manners: Manners): Promise<T> {
  const { signal, retryDelayMs = 1000, notice } = manners;
  let tries = 0;
  for (;;) {
    try {
      signal?.throwIfAborted();
      return await work(() => {
        tries = 0;
      });
    } catch (error) {
      tries++;
      if (!(error instanceof TryAgain) || tries >= MOST_TRIES) throw error;
      const asked = error.afterMs ?? 0;
      if (asked > LONGEST_WAIT_MS)
        throw new LatheError('network', `${error.message.split('\n', 1)[0]}, and asks to wait ${asked / 1000} s`, {
          hint: 'Try again then: what has been fetched so far is kept.',
          cause: error,
        });
      // Those who were turned away together should not come back together.
      const waitMs = Math.max(asked, retryDelayMs * 2 ** (tries - 1) * (0.75 + Math.random() / 2));
      notice?.(
        `${error.message.split('\n', 1)[0]}; trying again in ${(waitMs / 1000).toFixed(waitMs < 950 ? 1 : 0)} s`,
      );
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}

/** The JSON of an answer. Throws LatheError('network') for what is none, or over `mostBytes`. */
export async function readJson(answer: Answer, what: string, mostBytes = 64 << 20): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of answer.body()) {
    bytes += piece.byteLength;
    if (bytes > mostBytes) throw new LatheError('network', `${what}: ${answer.url.host} sent over ${mostBytes} bytes`);
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (cause) {
    throw new LatheError('network', `${what}: ${answer.url.host} sent what is no JSON`, {
      hint: 'A proxy or a sign-in page may have answered in its place.',
      cause,
    });
  }
}
