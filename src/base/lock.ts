import { randomUUID } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asIoError } from './atomic-write.ts';

interface Holder {
  readonly token: string;
  readonly pid: number;
  readonly machine: string;
}

const HEARTBEAT_MS = 5_000;
/** A holder on another machine, or one whose process number was given out again, is gone when it is silent so long. */
const SILENT_MS = 60_000;
const POLL_MS = 100;

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once when another process holds the lock; what it throws ends the waiting. */
  readonly waiting?: ((pid: number) => void) | undefined;
}

/**
 * Waits until no other process holds the lock at `path`, takes it, and gives the function that lets it go. A lock is a
 * file that says who holds it and is touched every five seconds; one whose process is gone is taken over at once, so that
 * a killed process blocks nobody.
 *
 * Node has no lock that the system takes back, so that two processes can in rare cases both believe to hold one: what is
 * done under it must be harmless then, as writing the same content and renaming it into place is.
 */
export async function lock(path: string, { signal, waiting }: LockOptions = {}): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true }).catch((cause) => {
    throw asIoError(path, cause);
  });
  const own: Holder = { token: randomUUID(), pid: process.pid, machine: machineName() };
  await acquire(path, own, signal, waiting);
  const heartbeat = setInterval(() => void touch(path), HEARTBEAT_MS).unref();
  return async () => {
    clearInterval(heartbeat);
    // Someone who took us for dead has it now.
    if ((await holderOf(path))?.token === own.token) await rm(path, { force: true });
  };
}

/** Runs `work` while holding the {@link lock} at `path`. */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const unlock = await lock(path, options);
  try {
    return await work();
  } finally {
    await unlock();
  }
}

async function acquire(
  path: string,
  own: Holder,
  signal: AbortSignal | undefined,
  waiting: ((pid: number) => void) | undefined,
): Promise<void> {
  let said = false;
  while (!(await create(path, own))) {
    const holder = await holderOf(path);
    if (holder !== undefined && (await isGone(path, holder))) await remove(path, holder);
    else {
      if (!said && holder !== undefined) waiting?.(holder.pid);
      said ||= holder !== undefined;
      await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
      signal?.throwIfAborted();
    }
  }
}

/** The file appears with its content: written under another name, and linked to this one unless that exists. */
async function create(path: string, own: Holder): Promise<boolean> {
  const written = `${path}.${own.token}`;
  try {
    const file = await open(written, 'w');
    await file.writeFile(JSON.stringify(own));
    await file.close();
    await link(written, path);
    return true;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // File systems without links (FAT, some network drives): nearly the same.
    if (code === 'EPERM' || code === 'ENOSYS' || code === 'ENOTSUP' || code === 'EOPNOTSUPP')
      return createPlain(path, own);
    throw asIoError(path, cause);
  } finally {
    await rm(written, { force: true });
  }
}

async function createPlain(path: string, own: Holder): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify(own));
    await file.close();
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw asIoError(path, cause);
  }
}

/** Undefined when there is none, or what is there says nothing: it is old enough to be judged by its age, or just being made. */
async function holderOf(path: string): Promise<Holder | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return { token: '', pid: 0, machine: '' };
  }
}

async function isGone(path: string, { pid, machine }: Holder): Promise<boolean> {
  if (machine === machineName() && pid !== process.pid && !isRunning(pid)) return true;
  const touched = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Number.POSITIVE_INFINITY,
  );
  return Date.now() - touched > SILENT_MS;
}

/** Takes the lock away from `holder`, and from no one else who may have taken it in the meantime. */
async function remove(path: string, holder: Holder): Promise<void> {
  const taken = `${path}.${randomUUID()}`;
  try {
    await rename(path, taken);
  } catch {
    return;
  }
  if ((await holderOf(taken))?.token !== holder.token) await link(taken, path).catch(() => {});
  await rm(taken, { force: true });
}

/** Whether a process of this machine has the number. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It lives, and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Where process numbers mean the same processes: containers of one host have numbers of their own. */
function machineName(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => {});
}
