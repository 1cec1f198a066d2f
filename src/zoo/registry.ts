import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { extract } from 'tar';
import { asIoError } from '../base/atomic-write.ts';
import { LatheError } from '../base/errors.ts';
import { withLock } from '../base/lock.ts';
import { cacheFolder } from './cache-folder.ts';
import type { FetchOptions } from './fetched.ts';
import { formatBytes } from './sizes.ts';
import { formatSource, type NpmSource } from './source.ts';

/** What the registry says of a version of a package. */
interface Published {
  readonly version: string;
  readonly unpackedSize?: number;
}

/**
 * Brings a package of the npm registry into the cache and gives its folder. npm itself fetches it, with the registry, the
 * tokens and the proxies that the user has configured, and checks its hash; nothing of it is run and nothing that it
 * depends on is fetched. An exact version that is there is not asked about again.
 *
 * Throws LatheError: `not-found` for what the registry does not have, `usage` over the limit, `network`.
 */
export async function fetchPackage(source: NpmSource, options: FetchOptions): Promise<string> {
  const name = formatSource(source);
  const packages = join(cacheFolder(options.env), 'npm');
  const folderOf = (version: string): string => join(packages, `${source.name.replace('/', '+')}@${version}`);
  const exact = source.version !== undefined && /^\d+\.\d+\.\d+/.test(source.version) ? source.version : undefined;
  if (exact !== undefined && (await exists(folderOf(exact)))) return folderOf(exact);
  const { version, unpackedSize } = await published(source, options);
  const folder = folderOf(version);
  if (await exists(folder)) return folder;
  if ((unpackedSize ?? 0) > options.mostBytes) throw tooLarge(name, unpackedSize!, options.mostBytes);
  await mkdir(packages, { recursive: true }).catch((cause) => {
    throw asIoError(packages, cause);
  });
  options.notice?.(
    `${name}: npm fetches version ${version}${unpackedSize === undefined ? '' : `, ${formatBytes(unpackedSize)}`}`,
  );
  const { signal, notice } = options;
  await withLock(
    `${folder}.lock`,
    async () => {
      if (!(await exists(folder))) await bring({ ...source, version }, folder, packages, options);
    },
    { signal, waiting: (pid) => notice?.(`process ${pid} is fetching ${name}: waiting for it`) },
  );
  return folder;
}

async function published(source: NpmSource, options: FetchOptions): Promise<Published> {
  const spec = `${source.name}@${source.version ?? 'latest'}`;
  const answer = await npm(['view', spec, 'version', 'dist.unpackedSize', '--json'], source, options);
  // A package that has no such version is an answer without words.
  const found = answer.trim() === '' ? undefined : (JSON.parse(answer) as Record<string, unknown> | string);
  const version = typeof found === 'string' ? found : found?.version;
  if (typeof version !== 'string')
    throw new LatheError(
      'not-found',
      `${formatSource(source)}: the registry has no version ${source.version ?? 'latest'} of it`,
      {
        hint: `Run "npm view ${source.name} versions" to see which there are.`,
      },
    );
  const unpackedSize = typeof found === 'object' ? found['dist.unpackedSize'] : undefined;
  return { version, ...(typeof unpackedSize === 'number' && { unpackedSize }) };
}

async function bring(source: NpmSource, folder: string, packages: string, options: FetchOptions): Promise<void> {
  const name = formatSource(source);
  const temporary = await mkdtemp(join(packages, '.fetching-'));
  try {
    const spec = `${source.name}@${source.version}`;
    // By the environment: a path may have spaces, which a shell would divide.
    const env = { ...options.env, npm_config_pack_destination: temporary };
    const packed = await npm(['pack', spec, '--ignore-scripts', '--json'], source, { ...options, env });
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
    const unpacked = join(temporary, 'package');
    await mkdir(unpacked);
    let bytes = 0;
    await extract({
      // Scoped names are `@scope/name-version.tgz` in the answer of older versions of npm, and a plain name on the disk.
      file: join(temporary, filename.replace('@', '').replace('/', '-')),
      cwd: unpacked,
      strip: 1,
      strict: true,
      // Links could lead out of the folder, and published packages have none.
      filter: (_, entry) => !('type' in entry) || entry.type === 'File' || entry.type === 'Directory',
      onReadEntry({ size }) {
        bytes += size;
        if (bytes > options.mostBytes) throw tooLarge(name, bytes, options.mostBytes);
      },
    });
    await rename(unpacked, folder);
  } catch (cause) {
    if (cause instanceof LatheError) throw cause;
    throw new LatheError('corrupt', `${name}: what the registry gave cannot be unpacked: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

const run = promisify(execFile);

/**
 * What npm prints. It is found, and finds its settings, by the environment of the process; `env` goes before that. Throws
 * LatheError with what it says is wrong.
 */
async function npm(args: readonly string[], source: NpmSource, { env, signal }: FetchOptions): Promise<string> {
  const windows = process.platform === 'win32';
  try {
    // npm is a script there, which only a shell runs; names and versions of sources hold nothing that a shell reads.
    const [program, given] = windows ? [['npm.cmd', ...args].join(' '), []] : ['npm', [...args]];
    const { stdout } = await run(program, given, {
      env: { ...process.env, ...env, npm_config_update_notifier: 'false' },
      maxBuffer: 64 << 20,
      shell: windows,
      ...(signal !== undefined && { signal }),
    });
    return stdout;
  } catch (cause) {
    signal?.throwIfAborted();
    const { code, stdout = '', stderr = '' } = cause as { code?: unknown; stdout?: string; stderr?: string };
    const name = formatSource(source);
    if (code === 'ENOENT')
      throw new LatheError('not-found', `${name}: the package is not installed, and there is no npm to fetch it`, {
        hint: `Install npm, or the package in another way.`,
        cause,
      });
    const { code: error, summary } = errorOf(stdout);
    const said = summary ?? stderr.split('\n').find((line) => /^npm (?:error|ERR!)/.test(line)) ?? String(code);
    if (error === 'E404' || error === 'ETARGET')
      throw new LatheError('not-found', `${name}: the registry does not have it (${error})`, {
        hint: 'Check the name and the version. Packages of your own need the registry and the token of your .npmrc.',
        cause,
      });
    throw new LatheError(error === 'E401' || error === 'E403' ? 'access' : 'network', `${name}: npm says: ${said}`, {
      hint: 'npm reads the registry, tokens and proxies from .npmrc: "npm ping" says whether they work.',
      cause,
    });
  }
}

function errorOf(stdout: string): { readonly code?: string; readonly summary?: string } {
  try {
    const { error } = JSON.parse(stdout) as { error?: { code?: string; summary?: string } };
    return error ?? {};
  } catch {
    return {};
  }
}

function tooLarge(name: string, bytes: number, most: number): LatheError {
  return new LatheError('usage', `${name}: it has ${formatBytes(bytes)}, over the limit of ${formatBytes(most)}`, {
    hint: 'Raise the limit (--max-size on the command line) if that is what you want.',
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
