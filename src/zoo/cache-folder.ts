import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where models that are not of the Hub are kept: LATHE_CACHE, else `lathe` in XDG_CACHE_HOME or `~/.cache`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const set = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  return set('LATHE_CACHE') ?? join(set('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'lathe');
}
