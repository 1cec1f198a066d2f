import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** What a content hashes to. */
export interface Digest {
  /** `git-blob` is the sha1 that git names a file's content by. */
  readonly algorithm: 'sha256' | 'sha512' | 'sha1' | 'git-blob';
  /** Lower-case hexadecimal. */
  readonly value: string;
}

/** Hashes a file as it is on the disk, to lower-case hexadecimal. */
export async function digestOf(path: string, algorithm: Digest['algorithm'], signal?: AbortSignal): Promise<string> {
  const hash = createHash(algorithm === 'git-blob' ? 'sha1' : algorithm);
  if (algorithm === 'git-blob') hash.update(`blob ${(await stat(path)).size}\0`);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20, signal })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
