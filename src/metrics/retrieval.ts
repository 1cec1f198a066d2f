import { LatheError } from '../base/index.ts';
import { type Measurement, measurement } from './measurement.ts';

/**
 * The rank of each query's own candidate among all, from 1: one more than the candidates that score higher, and than those
 * before it that score the same. `similarity` gives the scores of a query, one a candidate; candidates of the same `group`
 * are one and the same thing, and count once, with the query's own group never against it.
 */
export function retrievalRanks(
  queries: number,
  similarity: (query: number) => ArrayLike<number>,
  groups: ArrayLike<number>,
): Int32Array {
  const highest = new Map<number, number>();
  return Int32Array.from({ length: queries }, (_, query) => {
    const scores = similarity(query);
    if (scores.length !== groups.length) {
      throw new LatheError('invalid-data', `retrieval: expected ${groups.length} scores, got ${scores.length}`);
    }
    highest.clear();
    for (let at = 0; at < scores.length; at++) {
      const known = highest.get(groups[at]!);
      if (known === undefined || scores[at]! > known) highest.set(groups[at]!, scores[at]!);
    }
    const own = groups[query]!;
    const score = highest.get(own)!;
    let rank = 1;
    let isBefore = true;
    for (const [group, other] of highest) {
      if (group === own) isBefore = false;
      else if (other > score || (other === score && isBefore)) rank++;
    }
    return rank;
  });
}

/** The share of queries whose own candidate is among the first `k`. */
export function retrievalAccuracy(ranks: ArrayLike<number>, k: number): Measurement {
  return measurement(
    'retrieval-accuracy',
    { k },
    meanOf(ranks, (rank) => (rank <= k ? 1 : 0)),
  );
}

/** The mean of 1/rank, where ranks beyond `k` count 0. */
export function meanReciprocalRank(ranks: ArrayLike<number>, k = 10): Measurement {
  return measurement(
    'mean-reciprocal-rank',
    { k },
    meanOf(ranks, (rank) => (rank <= k ? 1 / rank : 0)),
  );
}

function meanOf(ranks: ArrayLike<number>, value: (rank: number) => number): number {
  if (ranks.length === 0) throw new LatheError('invalid-data', 'retrieval: expected at least one query, got none');
  let sum = 0;
  for (let query = 0; query < ranks.length; query++) sum += value(ranks[query]!);
  return sum / ranks.length;
}
