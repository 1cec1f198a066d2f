import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeSafetensors } from '../../src/base/index.ts';
import { lock } from '../../src/base/lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'lathe-resume-'));
const lathe = join(import.meta.dirname, '../../bin/lathe.js');
const data = join(folder, 'data.csv');
const STEPS = 4 * 21;

beforeAll(() => {
  const rows = Array.from({ length: 420 }, (_, row) => {
    const words = Array.from({ length: 5 + (row % 7) }, (_, word) => `w${(row * 31 + word * word * 17) % 97}`).join(
      ' ',
    );
    return `"${row % 3 === 0 ? 'sun' : 'rain'} ${words} ${row}",${row % 3 === 0 ? 'good' : 'bad'}`;
  });
  writeFileSync(data, `text,label\n${rows.join('\n')}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Dropout is on; a checkpoint is written twice an epoch. */
function start(name: string, ...more: readonly string[]): ChildProcess {
  const args = [
    lathe,
    'train',
    '--data',
    data,
    '--arch',
    'bert-tiny',
    '--no-baseline',
    '--epochs',
    '4',
    '--batch-size',
    '16',
  ];
  const run = ['--validations-per-epoch', '2', '--patience', '0', '--learning-rate', '0.001', '--dropout', '0.2'];
  return spawn(
    process.execPath,
    [...args, ...run, '--out', join(folder, `${name}-package`), '--run', join(folder, name), ...more],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
}

async function finish(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

function stepsOf(name: string): number {
  try {
    return readFileSync(join(folder, name, 'metrics.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"step"')).length;
  } catch {
    return 0;
  }
}

async function untilStep(name: string, steps: number, child: ChildProcess): Promise<void> {
  while (stepsOf(name) < steps && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
}

function tensorsOf(name: string, file: 'last' | 'best'): Record<string, Uint8Array> {
  const { tensors } = decodeSafetensors(readFileSync(join(folder, name, 'checkpoints', `${file}.safetensors`)));
  return Object.fromEntries(
    Array.from(tensors, ([key, { data: values }]) => {
      const { buffer, byteOffset, byteLength } = values as Float32Array;
      return [key, new Uint8Array(buffer, byteOffset, byteLength)];
    }),
  );
}

function expectSameRun(name: string): void {
  for (const file of ['last', 'best'] as const) {
    const expected = tensorsOf('whole', file);
    const actual = tensorsOf(name, file);
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [key, bytes] of Object.entries(expected)) {
      expect(Buffer.compare(bytes, actual[key]!), `${file}: "${key}"`).toBe(0);
    }
  }
  const log = (run: string): string => readFileSync(join(folder, run, 'metrics.jsonl'), 'utf8');
  expect(log(name)).toBe(log('whole'));
}

describe('a run that is stopped', () => {
  it('is the run that never stopped, to the last bit: killed at three random moments', {
    timeout: 180_000,
  }, async () => {
    const whole = await finish(start('whole'));
    expect(whole.code, whole.output).toBe(0);
    const total = stepsOf('whole');
    expect(total).toBeGreaterThan(STEPS - 10);

    const moments = Array.from({ length: 3 }, () => randomInt(2, total - 1)).sort((a, b) => a - b);
    for (const moment of moments) {
      const child = start('killed', '--resume');
      const ended = finish(child);
      await untilStep('killed', moment, child);
      child.kill('SIGKILL');
      await ended;
      // The training process ends by itself once its parent is gone.
      const seen = stepsOf('killed');
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(stepsOf('killed') - seen, `steps after the kill at ${moments}`).toBeLessThan(60);
    }
    const resumed = await finish(start('killed', '--resume'));
    expect(resumed.code, `${moments}: ${resumed.output}`).toBe(0);
    expectSameRun('killed');
  });

  it('is not gone on with before the process that trained it has ended, which outlives its parent by a step', {
    timeout: 120_000,
  }, async () => {
    const run = join(folder, 'waiting');
    const unlock = await lock(join(run, '.process.lock'));
    const [watching, child] = [watch(run), start('waiting')];
    const ended = finish(child);
    const tried = new Promise<void>((resolve) => {
      watching.on('change', (_, name) => {
        if (String(name).startsWith('.process.lock.')) resolve();
      });
    });
    await Promise.race([tried, untilStep('waiting', 1, child)]);
    watching.close();
    appendFileSync(join(run, 'metrics.jsonl'), '{"kind":"step","step":7}\n');
    await unlock();
    const { code, output } = await ended;
    expect(code, output).toBe(0);
    expectSameRun('waiting');
  });

  it('saves at SIGTERM, says how to go on, and goes on', { timeout: 120_000 }, async () => {
    const child = start('stopped');
    const ended = finish(child);
    await untilStep('stopped', 20, child);
    // As timeout(1) does: to the process, and to its group.
    child.kill('SIGTERM');
    child.kill('SIGTERM');
    const { code, output } = await ended;
    expect(code).toBe(1);
    expect(output).toContain('--resume');
    const resumed = await finish(start('stopped', '--resume'));
    expect(resumed.code, resumed.output).toBe(0);
    expect(resumed.output).toMatch(/going on from step \d+/);
    expectSameRun('stopped');
  });

  it('does not go on with other settings', { timeout: 60_000 }, async () => {
    const { code, output } = await finish(start('stopped', '--resume', '--seed', '7'));
    expect(code).toBe(2);
    expect(output).toContain('another model, other data or other settings');
  });
});
