import type { Tensor } from '../../base/index.ts';
import type { Model } from '../../graph/index.ts';
import { openSession, type Session } from '../../runtime/index.ts';

export interface Speed {
  /** For all of the inputs, one after the other: the median of rounds. */
  readonly milliseconds: number;
  /** Of what the first model took in the same round: the median of rounds. */
  readonly ofFirst: number;
}

/**
 * The time that models take for the same inputs on ONNX Runtime, on one thread. They take turns, so that what else the
 * machine does falls on all of them.
 */
export async function timeInTurns(
  models: readonly Model[],
  inputs: readonly Readonly<Record<string, Tensor>>[],
  { rounds = 15 }: { readonly rounds?: number } = {},
): Promise<readonly Speed[]> {
  const sessions: Session[] = [];
  try {
    for (const model of models) sessions.push(await openSession(model, { threads: 1 }));
    const times = sessions.map((): number[] => []);
    for (let round = -WARM_UP; round < rounds; round++) {
      for (const [at, session] of sessions.entries()) {
        const started = performance.now();
        for (const feeds of inputs) await session.run(feeds);
        if (round >= 0) times[at]!.push(performance.now() - started);
      }
    }
    return times.map((own) => ({
      milliseconds: median(own),
      ofFirst: median(own.map((time, round) => time / times[0]![round]!)),
    }));
  } finally {
    for (const session of sessions) await session.close();
  }
}

const WARM_UP = 2;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
