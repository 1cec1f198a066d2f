import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning } from '../base/lock.ts';

/** Its name says which process made it, so that another one can tell whether it is still in use. */
const NAME = /^\.job-(\d+)-/;

/**
 * Makes a folder inside the folder of a run for what the training process reads. The caller removes it. Those that
 * processes left there which were killed are removed now.
 */
export async function makeJobFolder(runFolder: string): Promise<string> {
  for (const name of await readdir(runFolder)) {
    const owner = NAME.exec(name)?.[1];
    if (owner !== undefined && !isRunning(Number(owner))) {
      await rm(join(runFolder, name), { recursive: true, force: true });
    }
  }
  return mkdtemp(join(runFolder, `.job-${process.pid}-`));
}
