import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeJobFolder } from './job-folder.ts';
import { followProcess } from './training-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-process-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let scripts = 0;
function script(code: string): string {
  const path = join(folder, `child-${scripts++}.mjs`);
  writeFileSync(path, code);
  return path;
}

async function eventsOf(entry: string, signal?: AbortSignal): Promise<unknown[]> {
  const events: unknown[] = [];
  for await (const event of followProcess(entry, folder, signal)) {
    events.push(event);
    // While this process is busy the other one ends, so that both its messages and its end are there at once.
    if (events.length === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
  }
  return events;
}

describe('the messages of a process', () => {
  // More than is read at once, and less than the channel holds, so that it does not end with the sender.
  const many = `for (let n = 0; n < 40; n++) process.send({ kind: 'event', event: { n, filler: 'x'.repeat(2000) } });`;

  it('all arrive, where it sends and is gone at once', async () => {
    const entry = script(`${many}\nprocess.send({ kind: 'done' });\nprocess.exit(0);`);
    for (let time = 0; time < 2; time++) expect(await eventsOf(entry)).toHaveLength(40);
  });

  it('say why it failed, where it fails and is gone at once', async () => {
    const entry = script(
      `${many}\nprocess.send({ kind: 'failed', code: 'diverged', message: 'step 3: no' });\nprocess.exit(1);`,
    );
    for (let time = 0; time < 2; time++) {
      await expect(eventsOf(entry)).rejects.toMatchObject({ code: 'diverged', message: 'step 3: no' });
    }
  });

  it('are missed: a process that ends without a word', async () => {
    await expect(eventsOf(script(`console.error('out of luck'); process.exit(3);`))).rejects.toThrow(
      /ended unexpectedly \(code 3\): out of luck/,
    );
    await expect(eventsOf(script(`process.kill(process.pid, 'SIGKILL');`))).rejects.toThrow(/\(SIGKILL\)/);
  });

  it('end when it is told to stop', async () => {
    const entry = script(`process.on('message', () => { process.send({ kind: 'done' }); process.disconnect(); });`);
    expect(await eventsOf(entry, AbortSignal.abort())).toEqual([]);
  });
});

describe('the folder of a job', () => {
  it('replaces those that killed processes left, and no others', async () => {
    const run = join(folder, 'run');
    mkdirSync(run);
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    for (const name of [`.job-${gone}-abc`, `.job-${process.ppid}-def`, '.job-notes', 'checkpoints']) {
      mkdirSync(join(run, name));
      writeFileSync(join(run, name, 'content'), 'x');
    }
    const made = await makeJobFolder(run);
    const left = readdirSync(run)
      .filter((name) => !made.endsWith(name))
      .sort();
    expect(left).toEqual(['.job-notes', `.job-${process.ppid}-def`, 'checkpoints'].sort());
  });
});
