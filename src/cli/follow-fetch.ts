import type { FetchProgress } from '../zoo/index.ts';
import type { Terminal } from './terminal.ts';

/** Shows progress from its first news on: what is there already needs none. */
export async function followed<T>(
  terminal: Terminal,
  what: string,
  work: (onProgress: (progress: FetchProgress) => void) => Promise<T>,
): Promise<T> {
  let progress: ReturnType<Terminal['progress']> | undefined;
  const result = await work(({ file, done, total }) => {
    progress ??= terminal.progress(what);
    progress.update(done, total, file);
  });
  progress?.done();
  return result;
}

export function countOf(files: number): string {
  return files === 1 ? '1 file' : `${files} files`;
}
