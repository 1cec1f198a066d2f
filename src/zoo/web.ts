import { createHash } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeFileAtomically } from '../base/atomic-write.ts';
import { LatheError } from '../base/errors.ts';
import { cacheFolder } from './cache-folder.ts';
import { digestOf } from './digest.ts';
import { download } from './download.ts';
import type { Fetched, FetchOptions } from './fetched.ts';
import { fileSize } from './sizes.ts';
import { type HttpsSource, withoutSecrets } from './source.ts';

/**
 * Brings a file of a web server into the cache. What its source says it hashes to is checked, and is never fetched again.
 * A source without a hash is asked about each time, and fetched again where the server has another content; when the
 * server cannot be reached, what the cache has must do.
 *
 * Throws LatheError: `network`, `access`, `not-found`, `corrupt` for another content than the source says, `usage` over the
 * limit.
 */
export async function fetchFromWeb(source: HttpsSource, options: FetchOptions): Promise<Fetched> {
  const { url, sha256 } = source;
  const { signal, mostBytes, onProgress, onPlan, notice } = options;
  // Addresses of one name are many, and one address may be asked for with several hashes.
  const key = createHash('sha256').update(`${url}#${sha256}`).digest('hex').slice(0, 32);
  const folder = join(cacheFolder(options.env), 'https', key);
  const path = fileName(url);
  const target = join(folder, path);
  const tag = `${target}.etag`;
  const there = (await fileSize(target)) !== undefined;
  const known = there && sha256 === undefined ? await readFile(tag, 'utf8').catch(() => undefined) : undefined;
  let planned = false;
  try {
    const { state, etag } = await download(
      {
        what: withoutSecrets(url),
        url,
        ...(known !== undefined && { headers: { 'if-none-match': known } }),
        target,
        partial: `${target}.incomplete`,
        lock: `${target}.lock`,
        fixed: sha256 !== undefined,
        digest: sha256 === undefined ? undefined : { algorithm: 'sha256', value: sha256 },
        mostBytes,
        onProgress(done, total) {
          if (!planned && total !== undefined) onPlan?.({ files: [{ path, bytes: total }], bytes: total });
          planned = true;
          onProgress?.({ file: path, done, total });
        },
      },
      options,
    );
    if (state === 'fetched' && etag !== undefined) await writeFileAtomically(tag, etag);
    else if (state === 'fetched') await rm(tag, { force: true });
  } catch (error) {
    if (!there || !(error instanceof LatheError) || error.code !== 'network') throw error;
    notice?.(`${error.message.split('\n', 1)[0]}; using what was fetched before`);
  }
  const digest = sha256 ?? (await digestOf(target, 'sha256', signal));
  if (sha256 === undefined)
    notice?.(`${withoutSecrets(url)}: nothing says what it should hash to; it is #sha256=${digest}`);
  return { source, folder, files: [{ path, bytes: (await stat(target)).size, sha256: digest }] };
}

/** The last part of the address, as a name that every file system takes. */
function fileName(url: string): string {
  const name = basename(new URL(url).pathname);
  let decoded = name;
  try {
    decoded = decodeURIComponent(name);
  } catch {
    // A percent sign that stands for itself.
  }
  const safe = decoded.replaceAll(/[^\p{L}\p{N}._-]/gu, '_').slice(-128);
  return /^\.*$/.test(safe) ? 'file' : safe;
}
