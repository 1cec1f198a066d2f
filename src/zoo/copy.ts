import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../base/atomic-write.ts';
import { LatheError } from '../base/errors.ts';
import { digestOf } from './digest.ts';
import type { Fetched, FetchedFile, FetchProgress } from './fetched.ts';
import { formatBytes } from './sizes.ts';
import { shownSource } from './source.ts';

export interface CopyOptions {
  /** More than this is refused before anything is written. */
  readonly mostBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/**
 * Copies a model's files into a folder, each whole or not at all. Files that are there already with the same content are
 * left alone. Throws LatheError('usage') before it writes where one has other content: nothing is overwritten.
 */
export async function copyModel({ source, folder, files }: Fetched, out: string, options: CopyOptions): Promise<void> {
  const { mostBytes, signal, onProgress } = options;
  const missing: FetchedFile[] = [];
  for (const file of files) {
    signal?.throwIfAborted();
    const [from, to] = [placeIn(folder, file), placeIn(out, file)];
    const there = await stat(to).catch(() => undefined);
    if (there === undefined) missing.push(file);
    else if (!there.isFile() || there.size !== file.bytes || !(await haveSameContent(from, to)))
      throw new LatheError('usage', `"${to}" is there already, and is not the file of ${shownSource(source)}`, {
        hint: 'Choose another folder with --out, or move it away.',
      });
  }
  const total = missing.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > mostBytes)
    throw new LatheError(
      'usage',
      `${shownSource(source)}: ${formatBytes(total)} are to be copied, over the limit of ${formatBytes(mostBytes)}`,
      { hint: 'Raise the limit (--max-size on the command line), or name the file you want.' },
    );
  let done = 0;
  const counted = async function* (file: FetchedFile): AsyncGenerator<Uint8Array> {
    for await (const piece of createReadStream(placeIn(folder, file), { highWaterMark: 1 << 20 })) {
      signal?.throwIfAborted();
      yield piece as Buffer;
      done += (piece as Buffer).byteLength;
      onProgress?.({ file: file.path, done, total });
    }
  };
  for (const file of missing) await writeFileAtomically(placeIn(out, file), counted(file));
}

async function haveSameContent(left: string, right: string): Promise<boolean> {
  return (await digestOf(left, 'sha256')) === (await digestOf(right, 'sha256'));
}

function placeIn(folder: string, { path }: FetchedFile): string {
  return join(folder, ...path.split('/'));
}
