import { createHash, randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { asIoError, writeFileAtomically } from '../../base/atomic-write.ts';

/**
 * The cache that all Hugging Face libraries share: `models--ORG--NAME/` with `blobs/` (contents by their hash), `refs/`
 * (commits by branch) and `snapshots/COMMIT/` (files by name, as links to blobs).
 */
export interface RepositoryCache {
  readonly folder: string;
  /** Where locks are: not in the folder, whose files other libraries know. */
  readonly locks: string;
}

export function repositoryCache(cache: string, repository: string): RepositoryCache {
  const name = `models--${repository.replaceAll('/', '--')}`;
  return { folder: join(cache, name), locks: join(cache, '.locks', name) };
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** The commit that a revision was when it was last fetched. */
export async function cachedCommit({ folder }: RepositoryCache, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const text = await readFile(join(folder, 'refs', ...revision.split('/')), 'utf8').catch(() => undefined);
  return text !== undefined && isCommit(text.trim()) ? text.trim() : undefined;
}

export async function rememberCommit({ folder }: RepositoryCache, revision: string, commit: string): Promise<void> {
  if (isCommit(revision)) return;
  const path = join(folder, 'refs', ...revision.split('/'));
  if ((await readFile(path, 'utf8').catch(() => undefined)) !== commit) await writeFileAtomically(path, commit);
}

export function snapshotFolder({ folder }: RepositoryCache, commit: string): string {
  return join(folder, 'snapshots', commit);
}

/** The files of a snapshot whose content is there, with slashes, sorted. */
export async function cachedFiles(cache: RepositoryCache, commit: string): Promise<string[]> {
  const folder = snapshotFolder(cache, commit);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files: string[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const facts = entry.isDirectory() ? undefined : await stat(path).catch(() => undefined);
    if (facts?.isFile()) files.push(relative(folder, path).split(sep).join('/'));
  }
  return files.sort();
}

/** Where a content of this tag is kept. A tag that is no hash may be anything: it becomes one. */
export function blobPath({ folder }: RepositoryCache, etag: string): string {
  const name = /^[A-Za-z0-9_-]{1,128}$/.test(etag) ? etag : createHash('sha256').update(etag).digest('hex');
  return join(folder, 'blobs', name);
}

/** Makes `file` of a snapshot lead to its blob: a relative link, or a copy where links are not to be had. */
export async function addToSnapshot(
  cache: RepositoryCache,
  commit: string,
  file: string,
  blob: string,
  symlinks: boolean,
): Promise<void> {
  const path = join(snapshotFolder(cache, commit), ...file.split('/'));
  const target = relative(dirname(path), blob);
  try {
    await mkdir(dirname(path), { recursive: true });
    if (await leadsTo(path, target, blob)) return;
    const fresh = `${path}.${randomUUID()}`;
    try {
      if (!symlinks || !(await tryLink(target, fresh))) await copyFile(blob, fresh);
      await rename(fresh, path);
    } finally {
      await rm(fresh, { force: true });
    }
  } catch (cause) {
    throw asIoError(path, cause);
  }
}

async function tryLink(target: string, path: string): Promise<boolean> {
  try {
    await symlink(target, path);
    return true;
  } catch (cause) {
    // Windows without its developer mode, and file systems that have no links.
    if (['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL'].includes((cause as NodeJS.ErrnoException).code ?? ''))
      return false;
    throw cause;
  }
}

async function leadsTo(path: string, target: string, blob: string): Promise<boolean> {
  const linked = await readlink(path).catch(() => undefined);
  if (linked !== undefined) return linked === target;
  // A copy: of the same size it is taken for the same, since a snapshot's files never change.
  const [file, content] = await Promise.all([stat(path).catch(() => undefined), stat(blob)]);
  return file?.isFile() === true && file.size === content.size;
}
