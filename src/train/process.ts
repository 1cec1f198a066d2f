import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asIoError } from '../base/atomic-write.ts';
import { LatheError } from '../base/index.ts';
import { withLock } from '../base/lock.ts';
import { deserializeDataset, openPixelFile } from '../data/index.ts';
import { readModel } from '../graph/index.ts';
import { JOB_FILES, type JobDescription, type ProcessMessage } from './job.ts';
import { runLoop } from './loop.ts';

/**
 * The training process: ONNX Runtime blocks the thread that runs it and cannot be cancelled, so training has a process
 * of its own. It reads its job from a folder, tells what happens by messages, and ends with its parent.
 */
const folder = process.argv[2]!;
let stopping = false;

/** Resolves when the message is on its way: what ends the process must not overtake it. */
const send = (message: ProcessMessage): Promise<void> =>
  new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, {}, () => resolve());
  });

// The terminal sends signals to the whole group; the parent decides what they mean, and says so.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('message', (message) => {
  if (message === 'stop') stopping = true;
});
process.on('disconnect', () => process.exit(1));

async function main(): Promise<void> {
  const description = JSON.parse(await readFile(join(folder, JOB_FILES.description), 'utf8')) as JobDescription;
  // One whose parent was killed goes on to the end of its step: nothing of it may come in between.
  await withLock(join(description.folder, '.process.lock'), () => train(description));
}

async function train(description: JobDescription): Promise<void> {
  const dataset = async (name: string) =>
    deserializeDataset(await readFile(join(folder, name)), (file) =>
      openPixelFile(join(description.folder, file.name), file),
    );
  await runLoop(
    {
      ...description,
      training: await readModel(join(folder, JOB_FILES.training)),
      inference: await readModel(join(folder, JOB_FILES.inference)),
      train: await dataset(JOB_FILES.train),
      validation: await dataset(JOB_FILES.validation),
    },
    { emit: (event) => void send({ kind: 'event', event }), shouldStop: () => stopping },
  ).catch((cause: unknown) => {
    throw asIoError(description.folder, cause);
  });
}

try {
  await main();
  await send({ kind: 'done' });
} catch (error) {
  const known = error instanceof LatheError;
  const message = error instanceof Error ? error.message : String(error);
  await send({
    kind: 'failed',
    code: known ? error.code : 'internal',
    message: known ? message : `${message}\n${(error as Error).stack ?? ''}`,
  });
}
process.disconnect?.();
