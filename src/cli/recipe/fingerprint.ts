import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { hashFile, listFiles, type SourceFile, statOf, walk } from '../../data/index.ts';

/** What a file, folder or pattern held. */
export interface Fingerprint {
  /** Over names, sizes and times: cheap to take, and enough to know that nothing was touched. */
  readonly listing: string;
  /** Over names and contents. */
  readonly content: string;
}

/**
 * The fingerprint of a path or pattern; undefined when nothing is there. Files are read only when their listing differs
 * from the one known, so that thousands of files untouched cost a look at their times.
 */
export async function fingerprint(path: string, known: Fingerprint | undefined): Promise<Fingerprint | undefined> {
  const files = await filesOf(path);
  if (files === undefined) return undefined;
  const hash = createHash('sha256');
  for (const { path: file, inside } of files) {
    // The time of the last change of the file's entry: no tool sets it back.
    const { size, mtimeMs, ctimeMs, ino } = lstatSync(file);
    hash.update(`${inside}\0${size}\0${mtimeMs}\0${ctimeMs}\0${ino}\0`);
  }
  const listing = hash.digest('hex');
  if (known?.listing === listing) return known;
  const contents = createHash('sha256');
  for (const { path: file, inside } of files) contents.update(`${inside}\0${await hashFile(file)}\0`);
  return { listing, content: contents.digest('hex') };
}

async function filesOf(path: string): Promise<readonly SourceFile[] | undefined> {
  const stats = statOf(path);
  if (stats?.isDirectory()) return walk(path, () => true);
  if (stats === undefined && !/[*?]/.test(path)) return undefined;
  return listFiles(path, process.cwd()).catch(() => undefined);
}
