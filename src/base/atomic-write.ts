import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LatheError } from './errors.ts';

/**
 * Writes a file so that readers see the old content or the new, never a part: temporary file beside it, fsync, rename.
 * On any failure (a full disk, an abort) the temporary file is removed and the old content stays.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      if (typeof content === 'string' || content instanceof Uint8Array) await file.writeFile(content);
      else for await (const chunk of content) await writeAll(file, chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw asIoError(path, cause);
  }
}

/**
 * Fills a folder so that it appears whole or not at all: `fill` writes into a temporary folder beside it, which then
 * takes its place. A folder that was there before is replaced only once the new one is complete. Throws LatheError: `usage`
 * for a file of that name, which stays, and `io`.
 */
export async function writeFolderAtomically<T>(path: string, fill: (folder: string) => Promise<T>): Promise<T> {
  const temporary = temporaryBeside(path);
  const replaced = `${temporary}.old`;
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory() === false)
    throw new LatheError('usage', `"${path}" is there already, and is no folder`, {
      hint: 'Choose another name: a file is not replaced by a folder.',
    });
  try {
    await mkdir(temporary, { recursive: true });
    const result = await fill(temporary);
    await syncFolder(temporary);
    const existed = await rename(path, replaced).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false;
        throw error;
      },
    );
    try {
      await rename(temporary, path);
    } catch (error) {
      if (existed) await rename(replaced, path);
      throw error;
    }
    await rm(replaced, { recursive: true, force: true });
    await syncFolder(dirname(path));
    return result;
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw asIoError(path, cause);
  }
}

function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
}

/** FileHandle.write may write less than asked, and never more than 2 GB at once. */
async function writeAll(file: import('node:fs/promises').FileHandle, bytes: Uint8Array): Promise<void> {
  const most = 1 << 30;
  for (let offset = 0; offset < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, offset, Math.min(most, bytes.byteLength - offset));
    offset += bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder for this; its rename is durable enough.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some room and run the command again; nothing was changed.',
  EACCES: 'No permission to write there: choose another folder or change its permissions.',
  EROFS: 'The file system is read-only: choose another folder.',
  ENOTDIR: 'A part of the path is a file, not a folder.',
};

/** An error of the system as LatheError('io') about `path`, with what to do; any other error as it is. */
export function asIoError(path: string, cause: unknown): unknown {
  const { code, errno } = (cause ?? {}) as NodeJS.ErrnoException;
  if (cause instanceof LatheError || code === undefined || errno === undefined) return cause;
  const hint = HINTS[code];
  return new LatheError('io', `cannot write "${path}": ${(cause as Error).message}`, {
    cause,
    ...(hint !== undefined && { hint }),
  });
}
