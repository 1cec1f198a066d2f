import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { LatheError } from '../../base/index.ts';

/** Pixels of many images in a file, read when a batch is made: the system keeps in memory what it has room for. */
export interface PixelFile {
  /** Without its folder. */
  readonly name: string;
  readonly length: number;
  /** sha256 of the content, in hex. */
  readonly sha256: string;
  /** Bytes from `start` up to `end`. */
  read(start: number, end: number): Uint8Array;
  close(): void;
}

/** Opens a file of pixels. Throws 'corrupt' when its length is not the one it should have. In Node alone. */
export function openPixelFile(path: string, { length, sha256 }: Pick<PixelFile, 'length' | 'sha256'>): PixelFile {
  const descriptor = openSync(path, 'r');
  const found = fstatSync(descriptor).size;
  if (found !== length) {
    closeSync(descriptor);
    throw new LatheError('corrupt', `"${path}" should have ${length} bytes, it has ${found}`);
  }
  return {
    name: basename(path),
    length,
    sha256,
    read(start, end) {
      const bytes = new Uint8Array(end - start);
      for (let done = 0; done < bytes.length; ) {
        const count = readSync(descriptor, bytes, done, bytes.length - done, start + done);
        if (count === 0) throw new LatheError('corrupt', `"${path}" became shorter while it was read`);
        done += count;
      }
      return bytes;
    },
    close: () => closeSync(descriptor),
  };
}

/** Takes the pixels of images, in order. */
export interface PixelStore {
  append(pixels: Uint8Array): Promise<void>;
  finish(): Promise<Uint8Array | PixelFile>;
}

/** Pixels beyond so many bytes go into a file, where there is a place for one. */
export const MOST_PIXEL_BYTES = 256 * 2 ** 20;

/** Keeps `length` bytes of pixels in memory, or in a file at `path` where they are too many. */
export async function pixelStore(
  length: number,
  path: string | undefined,
  most = MOST_PIXEL_BYTES,
): Promise<PixelStore> {
  if (path !== undefined && length > most) return fileStore(path);
  const values = new Uint8Array(length);
  let at = 0;
  return {
    async append(pixels) {
      values.set(pixels, at);
      at += pixels.length;
    },
    finish: async () => values,
  };
}

const CHUNK = 8 * 2 ** 20;

async function fileStore(path: string): Promise<PixelStore> {
  const file: FileHandle = await open(path, 'w');
  const hash: Hash = createHash('sha256');
  let pending: Uint8Array[] = [];
  let waiting = 0;
  let length = 0;
  const flush = async (): Promise<void> => {
    const chunk = Buffer.concat(pending);
    pending = [];
    waiting = 0;
    hash.update(chunk);
    length += chunk.length;
    await file.appendFile(chunk);
  };
  return {
    async append(pixels) {
      pending.push(pixels);
      waiting += pixels.length;
      if (waiting >= CHUNK) await flush();
    },
    async finish() {
      await flush();
      await file.close();
      return openPixelFile(path, { length, sha256: hash.digest('hex') });
    },
  };
}
