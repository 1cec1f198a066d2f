import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from '../base/tensor.ts';
import type { Model } from '../graph/index.ts';
import { openSession, type SessionOptions } from './session.ts';

/** What a kind of operator costs in a run. */
export interface OperatorCost {
  readonly opType: string;
  /** Nodes of this kind that ran, a run. */
  readonly count: number;
  /** Milliseconds a run, median over the runs. */
  readonly milliseconds: number;
  /** Of all operators' time, 0 to 1. */
  readonly share: number;
}

interface ProfileEvent {
  readonly cat?: string;
  readonly name?: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/**
 * Runs a model with ONNX Runtime's profiler and sums the time by operator, dearest first. The nodes are those after
 * ONNX Runtime's own fusions, so that names like FusedMatMul appear.
 */
export async function profileByOperator(
  model: Model | Uint8Array | string,
  feeds: Readonly<Record<string, Tensor>>,
  options: SessionOptions & {
    readonly runs?: number;
    readonly warmup?: number;
    readonly outputs?: readonly string[];
  } = {},
): Promise<OperatorCost[]> {
  const { runs = 5, warmup = 2, outputs, ...sessionOptions } = options;
  const folder = await mkdtemp(join(tmpdir(), 'lathe-profile-'));
  try {
    const session = await openSession(model, { ...sessionOptions, profilePrefix: join(folder, 'profile') });
    try {
      for (let run = 0; run < warmup + runs; run++) await session.run(feeds, outputs === undefined ? {} : { outputs });
    } finally {
      await session.close();
    }
    const [file] = await readdir(folder);
    const events = JSON.parse(await readFile(join(folder, file!), 'utf8')) as ProfileEvent[];
    return summarize(events, warmup, runs);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function summarize(events: readonly ProfileEvent[], warmup: number, runs: number): OperatorCost[] {
  const ends = events.filter(({ name }) => name === 'model_run').map(({ ts, dur }) => ts + dur);
  ends.sort((a, b) => a - b);
  const byType = new Map<string, { count: number; times: number[] }>();
  for (const event of events) {
    const opType = event.args?.op_name;
    if (event.cat !== 'Node' || opType === undefined || !event.name?.endsWith('_kernel_time')) continue;
    const run = ends.findIndex((end) => event.ts < end) - warmup;
    if (run < 0) continue;
    let entry = byType.get(opType);
    if (entry === undefined) {
      entry = { count: 0, times: new Array<number>(runs).fill(0) };
      byType.set(opType, entry);
    }
    entry.count++;
    entry.times[run]! += event.dur / 1000;
  }
  const rows = Array.from(byType, ([opType, { count, times }]) => ({
    opType,
    count: count / runs,
    milliseconds: median(times),
  }));
  const total = rows.reduce((sum, row) => sum + row.milliseconds, 0);
  return rows
    .map((row) => ({ ...row, share: total === 0 ? 0 : row.milliseconds / total }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
