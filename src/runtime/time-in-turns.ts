import type { Tensor } from '../base/tensor.ts';
import type { Session } from './session.ts';

/** What sessions cost that ran in turns: milliseconds a run, medians, and how many times faster than the first each is. */
export interface TimedInTurns {
  readonly milliseconds: readonly number[];
  /** The median of the ratios of each round: what else the machine does falls on all of a round. 1 for the first. */
  readonly ratios: readonly number[];
}

/** Times sessions of the same inputs side by side: they take turns, `rounds` times after a warm-up. */
export async function timeInTurns(
  sessions: readonly Session[],
  feeds: Readonly<Record<string, Tensor>>,
  { rounds = 15, warmup = 2 }: { readonly rounds?: number; readonly warmup?: number } = {},
): Promise<TimedInTurns> {
  const times: number[][] = sessions.map(() => []);
  for (let round = -warmup; round < rounds; round++) {
    for (const [at, session] of sessions.entries()) {
      const started = performance.now();
      await session.run(feeds);
      if (round >= 0) times[at]!.push(performance.now() - started);
    }
  }
  const ratios = times.map((own) => own.map((time, round) => times[0]![round]! / time));
  return { milliseconds: times.map(median), ratios: ratios.map(median) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
