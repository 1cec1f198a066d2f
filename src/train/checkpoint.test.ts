import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSafetensors, tensorFrom } from '../base/index.ts';
import { type Position, readCheckpoint, writeCheckpoint } from './checkpoint.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lathe-checkpoint-'));
  path = join(folder, 'checkpoints', 'last.safetensors');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const POSITION: Position = {
  step: 12,
  totalSteps: 100,
  epoch: 1,
  batch: 3,
  seconds: 1.25,
  examplesSeen: 384,
  best: { step: 10, score: 0.1 + 0.2 },
  validationsWithoutImprovement: 1,
  metricsBytes: 4321,
  fingerprint: 'abc',
};

describe('a checkpoint', () => {
  it('comes back bit for bit', async () => {
    const weights = Float32Array.of(0.1, -0, 1e-45, 3.4e38, Number.NaN);
    const tensors = new Map([
      ['w', { dtype: 'float32', dims: [5], data: weights } as const],
      ['state.ä', tensorFrom('float32', [], [0, 3])],
    ]);
    await writeCheckpoint(path, { tensors, position: POSITION });
    const read = await readCheckpoint(path);
    expect(read!.position).toEqual(POSITION);
    expect([...read!.tensors.keys()].sort()).toEqual(['state.ä', 'w']);
    const data = read!.tensors.get('w')!.data as Float32Array;
    expect(new Uint32Array(data.slice().buffer)).toEqual(new Uint32Array(weights.buffer));
    expect(read!.tensors.get('state.ä')!.dims).toEqual([0, 3]);
  });

  it('is replaced whole, with nothing beside it', async () => {
    await writeCheckpoint(path, { tensors: new Map([['a', tensorFrom('float32', [1])]]), position: POSITION });
    const next = { ...POSITION, step: 13 };
    await writeCheckpoint(path, { tensors: new Map([['b', tensorFrom('float32', [2])]]), position: next });
    const read = await readCheckpoint(path);
    expect([read!.position.step, ...read!.tensors.keys()]).toEqual([13, 'b']);
    expect(readdirSync(join(folder, 'checkpoints'))).toEqual(['last.safetensors']);
  });

  it('may not be there', async () => {
    expect(await readCheckpoint(path)).toBeUndefined();
  });

  it('that is cut short or none is refused', async () => {
    await writeCheckpoint(path, { tensors: new Map([['a', tensorFrom('float32', [1, 2])]]), position: POSITION });
    const whole = readFileSync(path);
    for (const length of [0, 7, 20, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, length));
      await expect(readCheckpoint(path), `${length} bytes`).rejects.toMatchObject({ code: 'corrupt' });
    }
    writeFileSync(path, Buffer.concat(encodeSafetensors(new Map(), {})));
    await expect(readCheckpoint(path)).rejects.toThrow('it has no position');
    writeFileSync(path, Buffer.concat(encodeSafetensors(new Map(), { lathe_position: '{' })));
    await expect(readCheckpoint(path)).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('that is a folder is refused by name', async () => {
    const reading = readCheckpoint(folder);
    await expect(reading).rejects.toMatchObject({ code: 'io', message: expect.stringContaining(folder) });
  });
});
