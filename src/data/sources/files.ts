import { createHash } from 'node:crypto';
import { createReadStream, type Stats, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { LatheError } from '../../base/index.ts';

/** A file of a source. */
export interface SourceFile {
  readonly path: string;
  /** How the source's user would name it: from where relative paths start. */
  readonly name: string;
  /** Its path inside the folder or pattern that it was found by: the same on every machine. */
  readonly inside: string;
  readonly bytes: number;
}

/**
 * The files that paths, folders and patterns stand for, in the order given and sorted within each. Throws `not-found` when
 * one matches nothing, with the names beside it.
 */
export async function listFiles(
  paths: string | readonly string[],
  directory: string,
  extensions?: readonly string[],
): Promise<SourceFile[]> {
  const found = new Map<string, SourceFile>();
  for (const path of typeof paths === 'string' ? [paths] : paths) {
    const before = found.size;
    for (const file of await expand(path, directory, extensions)) found.set(file.path, file);
    if (found.size === before) {
      const kinds = extensions === undefined ? '' : ` ending in ${extensions.join(', ')}`;
      throw new LatheError('not-found', `${path}: no files${kinds} there`);
    }
  }
  return [...found.values()];
}

async function expand(
  path: string,
  directory: string,
  extensions: readonly string[] | undefined,
): Promise<SourceFile[]> {
  const full = resolve(directory, path);
  const stats = statOf(full);
  if (stats?.isFile()) return [{ path: full, name: path, inside: basename(full), bytes: stats.size }];
  if (stats?.isDirectory()) {
    if (extensions === undefined) {
      throw new LatheError('invalid-data', `${path}: expected a file, got a folder`, {
        hint: `Name the files (${join(path, '*.csv')}), or read it as a folder of samples (source kind "folder").`,
      });
    }
    const files = await walk(full, () => true);
    return files
      .filter((file) => hasExtension(file.path, extensions))
      .map((file) => ({ ...file, name: named(file.path, full, path) }));
  }
  if (!/[*?]/.test(path)) throw await missing(path, full);
  const root = patternRoot(full);
  if (statOf(root)?.isDirectory() !== true)
    throw new LatheError('not-found', `${path}: there is no folder ${relative(directory, root)}`);
  const matches = patternOf(full);
  const files = await walk(root, (file) => matches.test(file.split(sep).join('/')));
  const shown = path.slice(0, path.length - full.slice(root.length).length);
  return files.map((file) => ({ ...file, name: named(file.path, root, shown) }));
}

function named(path: string, root: string, shown: string): string {
  return join(shown, relative(root, path)).split(sep).join('/');
}

/** All files under a folder that `wanted` accepts, sorted by path. Links are not followed. */
export async function walk(root: string, wanted: (path: string) => boolean): Promise<SourceFile[]> {
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  const files: SourceFile[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if (!wanted(path)) continue;
    const inside = relative(root, path).split(sep).join('/');
    files.push({ path, name: inside, inside, bytes: statSync(path).size });
  }
  return files.sort((left, right) => (left.path < right.path ? -1 : 1));
}

export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A part of the path is a file: nothing stands there either.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Whether a path is a folder or leads to something in it. */
export function isInside(path: string, folder: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

export function hasExtension(path: string, extensions: readonly string[]): boolean {
  const name = path.toLowerCase();
  return extensions.some((extension) => (extension === '' ? !basename(name).includes('.') : name.endsWith(extension)));
}

async function missing(path: string, full: string): Promise<LatheError> {
  const folder = dirname(full);
  const there = statOf(folder)?.isDirectory()
    ? (await readdir(folder)).filter((name) => !name.startsWith('.'))
    : undefined;
  const hint =
    there === undefined
      ? `The folder ${dirname(path)} does not exist either.`
      : there.length === 0
        ? `The folder ${dirname(path)} is empty.`
        : `In ${dirname(path)}: ${there.slice(0, 8).join(', ')}${there.length > 8 ? ', …' : ''}`;
  return new LatheError('not-found', `${path}: no such file`, { hint });
}

function patternRoot(pattern: string): string {
  const parts = pattern.split(sep);
  const first = parts.findIndex((part) => /[*?]/.test(part));
  return parts.slice(0, first).join(sep) || sep;
}

/** `*` and `?` stay within a folder's name, `**` crosses folders. */
function patternOf(pattern: string): RegExp {
  const source = pattern
    .split(sep)
    .join('/')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*\*|\*|\?/g, (token) =>
      token === '**/' ? '(?:.*/)?' : token === '**' ? '.*' : token === '*' ? '[^/]*' : '[^/]',
    );
  return new RegExp(`^${source}$`);
}

/** sha256 of a file's bytes, in hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** sha256 over the names and contents of files, in hex. */
export async function hashFiles(files: readonly SourceFile[]): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, path } of files) hash.update(`${name}\0${await hashFile(path)}\0`);
  return hash.digest('hex');
}
