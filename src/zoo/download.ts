import { createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { asIoError } from '../base/atomic-write.ts';
import { LatheError } from '../base/errors.ts';
import { withLock } from '../base/lock.ts';
import { type Answer, ask, type Manners, statusFailure, TryAgain, withRetries } from './ask.ts';
import { type Digest, digestOf } from './digest.ts';
import { fileSize, formatBytes } from './sizes.ts';

export interface Download {
  /** What is fetched, as messages say it. */
  readonly what: string;
  readonly url: string | URL;
  /** Sent to the origin of `url` alone. */
  readonly privateHeaders?: Readonly<Record<string, string>>;
  /** Sent to whoever answers, as `if-none-match`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Where the file ends up, whole and verified. */
  readonly target: string;
  /** Where it grows, on the same file system; what an earlier try left there is gone on with. */
  readonly partial: string;
  /** Held while it grows. */
  readonly lock: string;
  readonly bytes?: number | undefined;
  readonly digest?: Digest | undefined;
  /** Whether a file that is at `target` is this one, as where its path says what it hashes to. */
  readonly fixed: boolean;
  /** More than this is refused before it is fetched. */
  readonly mostBytes: number;
  /** The failure that an answer is; default by its status alone. */
  readonly failureOf?: (answer: Answer) => LatheError;
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  /** Free room on the file system of a folder, in bytes; default asks the system. */
  readonly freeBytes?: (folder: string) => Promise<number | undefined>;
}

export interface Downloaded {
  /** `there` when another process had fetched it in the meantime, `unchanged` for an answer of 304. */
  readonly state: 'fetched' | 'there' | 'unchanged';
  readonly etag?: string;
}

/**
 * Fetches a file so that it is at `target` whole and verified, or not at all. A cut connection is gone on with from where
 * it broke, also by a later process; two processes that want the same file fetch it once. Throws LatheError: `network`,
 * `access`, `not-found`, `corrupt` for content that is not what it should be, `io` for a disk that is full.
 */
export async function download(file: Download, manners: Manners): Promise<Downloaded> {
  await makeFolder(dirname(file.target));
  await makeFolder(dirname(file.partial));
  return withLock(
    file.lock,
    async () => {
      if (file.fixed && (await fileSize(file.target)) !== undefined) return { state: 'there' };
      return fetchVerified(file, manners);
    },
    {
      signal: manners.signal,
      waiting: (pid) => manners.notice?.(`process ${pid} is fetching ${file.what}: waiting for it`),
    },
  );
}

async function fetchVerified(file: Download, manners: Manners): Promise<Downloaded> {
  let wrong = 0;
  let furthest = 0;
  return withRetries(async (progressed) => {
    const answer = await grow(file, manners, (done) => {
      if (done > furthest) progressed();
      furthest = Math.max(furthest, done);
    });
    if (answer === 'unchanged') return { state: 'unchanged' };
    const found = file.digest && (await digestOf(file.partial, file.digest.algorithm, manners.signal));
    if (file.digest !== undefined && found !== file.digest.value) {
      await discardPartial(file);
      wrong++;
      const message = `${file.what}: the content has the ${file.digest.algorithm} ${found}, expected ${file.digest.value}`;
      if (wrong === 1) throw new TryAgain(message);
      throw new LatheError('corrupt', message, {
        hint: 'It was fetched twice and is wrong both times: the server, or a proxy on the way, gives something else. Nothing was kept.',
      });
    }
    await rename(file.partial, file.target).catch((cause) => {
      throw asIoError(file.target, cause);
    });
    await rm(validatorPath(file), { force: true });
    const etag = answer.headers.get('etag');
    return { state: 'fetched', ...(etag !== null && { etag }) };
  }, manners);
}

/** Fetches what is missing of the partial file, or all of it where the server has another content than it had. */
async function grow(file: Download, manners: Manners, onGrowth: (done: number) => void): Promise<Answer | 'unchanged'> {
  const there = await usablePart(file);
  const answer = await ask(
    file.url,
    {
      headers: { ...file.headers, ...(there.bytes > 0 && rangeOf(there)) },
      ...(file.privateHeaders !== undefined && { privateHeaders: file.privateHeaders }),
    },
    manners,
  );
  try {
    if (answer.status === 304) return 'unchanged';
    if (answer.status === 416 && there.bytes > 0) {
      await discardPartial(file);
      throw new TryAgain(`${file.what}: the server has less than was fetched before`);
    }
    if (answer.status !== 200 && answer.status !== 206)
      throw file.failureOf?.(answer) ?? statusFailure(answer, file.what);
    const { start, total } = extentOf(answer);
    if (start !== 0 && start !== there.bytes) {
      await discardPartial(file);
      throw new TryAgain(`${file.what}: the server sent another part than was asked for`);
    }
    checkSize(file, total);
    await checkRoom(file, (total ?? 0) - start);
    await writeValidator(file, answer);
    await append(file, answer, start, total, onGrowth);
    return answer;
  } finally {
    answer.discard();
  }
}

interface Part {
  readonly bytes: number;
  readonly etag?: string;
}

/** What an earlier try left, where it can be told that the rest will fit to it: by the hash of the whole, or the server's tag. */
async function usablePart(file: Download): Promise<Part> {
  const bytes = (await fileSize(file.partial)) ?? 0;
  const etag = await readFile(validatorPath(file), 'utf8').catch(() => undefined);
  if (bytes === 0 || (etag === undefined && file.digest === undefined)) return { bytes: 0 };
  // There may be the whole, with only its check missing: a server refuses to send the rest when there is none.
  const most = (file.bytes ?? bytes) - 1;
  return { bytes: Math.min(bytes, most), ...(etag !== undefined && { etag }) };
}

function rangeOf({ bytes, etag }: Part): Record<string, string> {
  return { range: `bytes=${bytes}-`, ...(etag !== undefined && { 'if-range': etag }) };
}

function extentOf(answer: Answer): { readonly start: number; readonly total: number | undefined } {
  if (answer.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers.get('content-range') ?? '');
    if (range === null) return { start: Number.NaN, total: undefined };
    return { start: Number(range[1]), total: range[2] === '*' ? undefined : Number(range[2]) };
  }
  const length = answer.headers.get('content-length');
  const encoded = answer.headers.has('content-encoding');
  return { start: 0, total: length === null || encoded ? undefined : Number(length) };
}

function checkSize(file: Download, total: number | undefined): void {
  if (total !== undefined && file.bytes !== undefined && total !== file.bytes)
    throw new LatheError('corrupt', `${file.what}: expected ${file.bytes} bytes, the server has ${total}`, {
      hint: 'A proxy or a sign-in page may answer in its place.',
    });
  if ((total ?? 0) > file.mostBytes) throw tooLarge(file, `has ${formatBytes(total!)}`);
}

function tooLarge(file: Download, how: string): LatheError {
  return new LatheError('usage', `${file.what}: it ${how}, over the limit of ${formatBytes(file.mostBytes)}`, {
    hint: 'Raise the limit (--max-size on the command line) if that is what you want.',
  });
}

async function checkRoom(file: Download, needed: number): Promise<void> {
  const folder = dirname(file.partial);
  const free = await (file.freeBytes ?? freeBytesOf)(folder);
  if (free !== undefined && needed > free)
    throw new LatheError(
      'io',
      `${file.what}: ${formatBytes(needed)} are to come, and the disk of "${folder}" has ${formatBytes(free)} left`,
      { hint: 'Free some room, or put the cache elsewhere: HF_HUB_CACHE for the Hub, LATHE_CACHE for other sources.' },
    );
}

async function freeBytesOf(folder: string): Promise<number | undefined> {
  return statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
}

async function append(
  file: Download,
  answer: Answer,
  start: number,
  total: number | undefined,
  onGrowth: (done: number) => void,
): Promise<void> {
  let done = start;
  const limit = Math.min(file.bytes ?? file.mostBytes, file.mostBytes);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for await (const piece of answer.body()) {
      done += piece.byteLength;
      if (done > limit) throw tooLarge(file, 'goes on and on');
      yield piece;
      onGrowth(done);
      file.onProgress?.(done, total ?? file.bytes);
    }
  }
  try {
    await (await open(file.partial, start === 0 ? 'w' : 'r+')).close();
    await pipeline(pieces, createWriteStream(file.partial, { flags: 'r+', start }));
    const handle = await open(file.partial, 'r+');
    try {
      await handle.truncate(done);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new LatheError('io', `${file.what}: the disk is full after ${formatBytes(done)}`, {
        hint: 'Free some room and run the command again: it goes on where it stopped.',
        cause,
      });
    throw asIoError(file.partial, cause);
  }
  const whole = total ?? file.bytes;
  if (whole !== undefined && done < whole)
    throw new TryAgain(`${file.what}: the connection ended after ${formatBytes(done)} of ${formatBytes(whole)}`);
}

/** The server's tag of the content stands beside the part of it, so that a later try can ask for the rest of the same. */
async function writeValidator(file: Download, answer: Answer): Promise<void> {
  const etag = answer.headers.get('etag');
  // A weak tag does not promise the same bytes.
  if (etag === null || etag.startsWith('W/')) await rm(validatorPath(file), { force: true });
  else await writeFile(validatorPath(file), etag);
}

function validatorPath({ partial }: Download): string {
  return `${partial}.etag`;
}

async function discardPartial(file: Download): Promise<void> {
  await rm(file.partial, { force: true });
  await rm(validatorPath(file), { force: true });
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause) => {
    throw asIoError(path, cause);
  });
}
