import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LatheError } from '../../base/errors.ts';
import type { Manners } from '../ask.ts';
import { download } from '../download.ts';
import type { Fetched, FetchedFile, FetchOptions } from '../fetched.ts';
import { fileSize, formatBytes } from '../sizes.ts';
import { formatSource, type HubSource } from '../source.ts';
import {
  addToSnapshot,
  blobPath,
  cachedCommit,
  cachedFiles,
  type RepositoryCache,
  rememberCommit,
  repositoryCache,
  snapshotFolder,
} from './cache.ts';
import { type Choice, chooseFiles, filesAt } from './choose.ts';
import {
  authorization,
  describeFile,
  describeRepository,
  digestOfTag,
  fileUrl,
  type HubFile,
  type HubRepository,
  hubFailure,
} from './repository.ts';
import { type HubSettings, hubSettings } from './settings.ts';

const CONFIG = 'config.json';

/**
 * Brings what Lathe needs of a repository into the shared cache and says where it is. Only what is missing is fetched;
 * without a network, or with HF_HUB_OFFLINE, what the cache has must do. `config.json` comes first, so that a model that
 * cannot be used is refused before its weights are fetched.
 */
export async function fetchFromHub(source: HubSource, options: FetchOptions): Promise<Fetched> {
  const settings = await hubSettings(options.env);
  const manners: Manners = { timeoutMs: settings.timeoutMs, ...options };
  const cache = repositoryCache(settings.cache, source.repository);
  if (settings.offline) return fromCache(source, cache, options, 'HF_HUB_OFFLINE is set');
  let repository: HubRepository;
  try {
    repository = await describeRepository(source, settings, manners);
  } catch (error) {
    if (!(error instanceof LatheError) || error.code !== 'network') throw error;
    const cached = await fromCache(source, cache, options, 'the Hub cannot be reached').catch(() => undefined);
    if (cached === undefined) throw error;
    options.notice?.(`${error.message.split('\n', 1)[0]}; using what the cache has of it, of commit ${cached.commit}`);
    return cached;
  }
  return fetchRepository(source, repository, cache, settings, manners, options);
}

async function fetchRepository(
  source: HubSource,
  repository: HubRepository,
  cache: RepositoryCache,
  settings: HubSettings,
  manners: Manners,
  options: FetchOptions,
): Promise<Fetched> {
  const { commit } = repository;
  const known = new Map(repository.files.map((file) => [file.path, file]));
  const told = async (path: string): Promise<Required<HubFile>> => {
    const file = known.get(path)!;
    if (file.bytes !== undefined && file.etag !== undefined) return { ...file, bytes: file.bytes, etag: file.etag };
    const found = await describeFile(source, commit, path, settings, manners);
    return { ...found, bytes: found.bytes ?? 0 };
  };
  const bring = async (file: Required<HubFile>, onProgress?: (done: number) => void): Promise<void> => {
    const blob = blobPath(cache, file.etag);
    const what = `hf:${source.repository}: ${file.path}`;
    if (!(await isThere(blob, file.bytes)))
      await download(
        {
          what,
          url: fileUrl(source, commit, file.path, settings),
          privateHeaders: authorization(settings),
          target: blob,
          // Names that no other library gives: one of them appends to what it finds under its own.
          partial: `${blob}.lathe.incomplete`,
          lock: join(cache.locks, `${file.etag.replaceAll(/[^\w-]/g, '_')}.lathe.lock`),
          fixed: true,
          bytes: file.bytes > 0 ? file.bytes : undefined,
          digest: digestOfTag(file.etag),
          mostBytes: options.mostBytes,
          failureOf: (answer) => hubFailure(answer, what, settings),
          onProgress,
        },
        manners,
      );
    await addToSnapshot(cache, commit, file.path, blob, settings.symlinks);
  };

  let config: unknown;
  if (known.has(CONFIG) && source.path === undefined) {
    await bring(await told(CONFIG));
    config = await readConfig(join(snapshotFolder(cache, commit), CONFIG), source);
  }
  const choice = choose([...known.keys()], source, config, options);
  const files: Required<HubFile>[] = [];
  for (const path of choice.files) files.push(await told(path));
  // What is small first: the wait for the weights is not in vain.
  files.sort((left, right) => left.bytes - right.bytes);
  const missing: Required<HubFile>[] = [];
  for (const file of files) if (!(await isThere(blobPath(cache, file.etag), file.bytes))) missing.push(file);
  const total = missing.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > options.mostBytes) throw tooMuch(source, files, total, options.mostBytes);
  if (missing.length > 0)
    options.onPlan?.({ files: missing.map(({ path, bytes }) => ({ path, bytes })), bytes: total });
  let before = 0;
  for (const file of files) {
    await bring(file, (done) => options.onProgress?.({ file: file.path, done: before + done, total }));
    if (missing.includes(file)) before += file.bytes;
  }
  await rememberCommit(cache, source.revision, commit);
  return {
    source,
    folder: snapshotFolder(cache, commit),
    files: files.map(describeFetched).sort((left, right) => (left.path < right.path ? -1 : 1)),
    commit,
    ...(choice.format !== undefined && { format: choice.format }),
    ...(repository.licence !== undefined && { licence: repository.licence }),
    ...(repository.task !== undefined && { task: repository.task }),
  };
}

function describeFetched({ path, bytes, etag }: Required<HubFile>): FetchedFile {
  const digest = digestOfTag(etag);
  return { path, bytes, ...(digest?.algorithm === 'sha256' && { sha256: digest.value }) };
}

/** What the cache has of a source. Throws LatheError('not-found') where that is not enough, with the reason for asking it alone. */
async function fromCache(
  source: HubSource,
  cache: RepositoryCache,
  options: FetchOptions,
  why: string,
): Promise<Fetched> {
  const text = formatSource(source);
  const commit = await cachedCommit(cache, source.revision);
  const paths = commit === undefined ? [] : await cachedFiles(cache, commit);
  if (commit === undefined || paths.length === 0)
    throw new LatheError('not-found', `${text}: ${why}, and the cache has nothing of it`, {
      hint: `Looked in ${cache.folder}. Run "lathe zoo pull ${text}" once with a network.`,
    });
  const folder = snapshotFolder(cache, commit);
  const config =
    source.path === undefined && paths.includes(CONFIG) ? await readConfig(join(folder, CONFIG), source) : undefined;
  let choice: Partial<Choice> & Pick<Choice, 'files'>;
  try {
    choice = choose(paths, source, config, options);
  } catch (cause) {
    if (!(cause instanceof LatheError)) throw cause;
    throw new LatheError(cause.code, `${text}: ${why}, and the cache has only a part of it: ${cause.message}`, {
      hint: `Run "lathe zoo pull ${text}" once with a network.`,
      cause,
    });
  }
  const files: FetchedFile[] = [];
  for (const path of [...choice.files].sort())
    files.push({ path, bytes: (await stat(join(folder, ...path.split('/')))).size });
  return { source, folder, files, commit, ...(choice.format !== undefined && { format: choice.format }) };
}

function choose(
  paths: readonly string[],
  source: HubSource,
  config: unknown,
  { format, variant, refusal }: FetchOptions,
): Partial<Choice> & Pick<Choice, 'files'> {
  const name = formatSource(source);
  if (source.path !== undefined) return { files: filesAt(paths, source.path, name) };
  return chooseFiles(paths, { format, variant, refusal: refusal?.(config) }, name);
}

async function readConfig(path: string, source: HubSource): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new LatheError('invalid-data', `${formatSource(source)}: its ${CONFIG} is no JSON`, { cause });
  }
}

async function isThere(path: string, bytes: number): Promise<boolean> {
  const size = await fileSize(path);
  return size !== undefined && (size === bytes || bytes === 0);
}

function tooMuch(source: HubSource, files: readonly HubFile[], total: number, most: number): LatheError {
  const largest = files.slice(-3).reverse();
  const shown = largest.map(({ path, bytes }) => `${path} ${formatBytes(bytes ?? 0)}`).join(', ');
  return new LatheError(
    'usage',
    `${formatSource(source)}: ${formatBytes(total)} are to be fetched, over the limit of ${formatBytes(most)}`,
    { hint: `The largest are ${shown}. Raise the limit (--max-size on the command line), or name the file you want.` },
  );
}
