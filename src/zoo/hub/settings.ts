import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LatheError } from '../../base/errors.ts';

/** What the Hugging Face libraries read from the environment, read the same way. */
export interface HubSettings {
  /** HF_ENDPOINT, without a slash at its end. */
  readonly endpoint: string;
  /** HF_HUB_CACHE, else HF_HOME/hub. */
  readonly cache: string;
  /** HF_TOKEN, else what `hf auth login` keeps in HF_HOME/token. */
  readonly token?: string;
  /** HF_HUB_OFFLINE: nothing is asked, the cache must do. */
  readonly offline: boolean;
  /** Without links (HF_HUB_DISABLE_SYMLINKS, or where the file system has none) snapshots hold copies. */
  readonly symlinks: boolean;
  /** HF_HUB_DOWNLOAD_TIMEOUT. */
  readonly timeoutMs?: number;
}

/** Reads the settings of an environment. Throws LatheError('usage') for those that make no sense. */
export async function hubSettings(env: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  const set = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const endpoint = (set('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '');
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint))
    throw new LatheError('usage', `HF_ENDPOINT is "${endpoint}": expected a web address, as in https://huggingface.co`);
  const home = inHome(set('HF_HOME') ?? join(set('XDG_CACHE_HOME') ?? join('~', '.cache'), 'huggingface'));
  const cache = inHome(set('HF_HUB_CACHE') ?? set('HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub'));
  const given = set('HF_TOKEN') ?? set('HUGGING_FACE_HUB_TOKEN');
  const token = cleanToken(
    given ?? (await readFile(inHome(set('HF_TOKEN_PATH') ?? join(home, 'token')), 'utf8').catch(() => '')),
    given === undefined ? 'the token file of HF_HOME' : 'HF_TOKEN',
  );
  const seconds = Number(set('HF_HUB_DOWNLOAD_TIMEOUT'));
  return {
    endpoint,
    cache,
    ...(token !== undefined && { token }),
    offline: isTrue(set('HF_HUB_OFFLINE') ?? set('TRANSFORMERS_OFFLINE')),
    symlinks: !isTrue(set('HF_HUB_DISABLE_SYMLINKS')),
    ...(seconds > 0 && { timeoutMs: seconds * 1000 }),
  };
}

function cleanToken(text: string, where: string): string | undefined {
  const token = text.trim();
  if (token === '') return undefined;
  // What is wrong with it is not said with it.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new LatheError('usage', `${where} holds no token: it has spaces, line breaks or letters that none has`);
  return token;
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ['1', 'ON', 'YES', 'TRUE'].includes(value.toUpperCase());
}

function inHome(path: string): string {
  return path === '~' || /^~[\\/]/.test(path) ? join(homedir(), path.slice(1)) : path;
}
