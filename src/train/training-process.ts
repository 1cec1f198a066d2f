import { fork } from 'node:child_process';
import { LatheError } from '../base/index.ts';
import type { TrainEvent } from './events.ts';
import type { ProcessMessage } from './job.ts';

/** Large blocks stay in the heap of the process instead of going back to the system and being cleared again each step. */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: String(4 * 2 ** 30), MALLOC_TRIM_THRESHOLD_: String(16 * 2 ** 30) };

/**
 * Runs `entry` in a process of its own with `jobFolder` as its argument, and gives the events that it sends. Aborting
 * asks it to stop. Ends when the process says that it is done; throws what it says failed, and LatheError('internal')
 * when it ends without a word.
 */
export async function* followProcess(
  entry: string,
  jobFolder: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrainEvent, void> {
  const child = fork(entry, [jobFolder], {
    env: { ...process.env, ...MALLOC },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const queue: ProcessMessage[] = [];
  let wake = (): void => {};
  let closed: { code: number | null; signal: string | null } | undefined;
  let complaint = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  child.on('message', (message: ProcessMessage) => {
    queue.push(message);
    wake();
  });
  // Not 'exit': that may come before the last messages do. 'close' waits for the channel and the pipe to run dry.
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code, by) => {
      closed = { code, signal: by };
      wake();
      resolve();
    });
  });
  const stop = (): void => {
    // It may be ending by itself at this moment: then nobody reads the message, and that is fine.
    if (child.connected) child.send('stop', () => {});
  };
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  try {
    for (;;) {
      const message = queue.shift();
      if (message === undefined) {
        if (closed !== undefined) throw silentEnd(closed, complaint);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if (message.kind === 'event') yield message.event;
      else if (message.kind === 'failed') throw new LatheError(message.code, message.message);
      else return;
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    // Done, failed, or the caller stopped iterating: let the step under way end and the checkpoint be written.
    stop();
    await ended;
  }
}

function silentEnd(how: { code: number | null; signal: string | null }, complaint: string): LatheError {
  const what = how.signal ?? `code ${how.code}`;
  const said = complaint === '' ? '' : `: ${complaint.trim()}`;
  return new LatheError('internal', `the training process ended unexpectedly (${what})${said}`, {
    hint: 'The last checkpoint is kept: repeat the command with --resume. If the system ran out of memory, lower --batch-size.',
  });
}
