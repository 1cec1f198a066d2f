import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asIoError } from '../base/atomic-write.ts';
import { LatheError } from '../base/index.ts';
import { deserializeDataset } from '../data/index.ts';
import { readModel } from '../graph/index.ts';
import { JOB_FILES, type JobDescription, type ProcessMessage } from './job.ts';
import { runLoop } from './loop.ts';

/**
 * The training process: ONNX Runtime blocks the thread that runs it and cannot be cancelled, so training has a process
 * of its own. It reads its job from a folder, tells what happens by messages, and ends with its parent.
 */
const folder = process.argv[2]!;
let stopping = false;

const send = (message: ProcessMessage): void => {
  process.send?.(message);
};

// The terminal sends signals to the whole group; the parent decides what they mean, and says so.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('message', (message) => {
  if (message === 'stop') stopping = true;
});
process.on('disconnect', () => process.exit(1));

async function main(): Promise<void> {
  const description = JSON.parse(await readFile(join(folder, JOB_FILES.description), 'utf8')) as JobDescription;
  const dataset = async (name: string) => deserializeDataset(await readFile(join(folder, name)));
  await runLoop(
    {
      ...description,
      training: await readModel(join(folder, JOB_FILES.training)),
      inference: await readModel(join(folder, JOB_FILES.inference)),
      train: await dataset(JOB_FILES.train),
      validation: await dataset(JOB_FILES.validation),
    },
    { emit: (event) => send({ kind: 'event', event }), shouldStop: () => stopping },
  ).catch((cause: unknown) => {
    throw asIoError(description.folder, cause);
  });
}

try {
  await main();
  send({ kind: 'done' });
} catch (error) {
  const known = error instanceof LatheError;
  const message = error instanceof Error ? error.message : String(error);
  send({
    kind: 'failed',
    code: known ? error.code : 'internal',
    message: known ? message : `${message}\n${(error as Error).stack ?? ''}`,
  });
}
process.disconnect?.();
