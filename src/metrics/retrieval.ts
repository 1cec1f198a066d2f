import { LatheError } from '../base/index.ts';
import { checkFinite } from './inputs.ts';
import { type Measurement, measurement } from './measurement.ts';

/**
 * The rank of each query's own candidate among all, from 1: one more than the candidates that score higher, and than those
 * before it that score the same. `similarity` gives the scores of a query, one a candidate; candidates of the same `group`
 * are one and the same thing, and count once, with the query's own group never against it. Throws 'invalid-data' for a
 * score that is not finite: nothing ranks above it.
 */
export function retrievalRanks(
  queries: number,
  similarity: (query: number) => ArrayLike<number>,
  groups: ArrayLike<number>,
): Int32Array {
  // Groups are counted in the order of their first candidates, which decides between equal scores.
  const places = new Map<number, number>();
  const placeOf = Int32Array.from(groups, (group) => {
    if (!places.has(group)) places.set(group, places.size);
    return places.get(group)!;
  });
  const highest = new Float64Array(places.size);
  return Int32Array.from({ length: queries }, (_, query) => {
    const scores = similarity(query);
    if (scores.length !== groups.length) {
      throw new LatheError('invalid-data', `retrieval: expected ${groups.length} scores, got ${scores.length}`);
    }
    checkFinite('retrieval', 'score', scores);
    highest.fill(Number.NEGATIVE_INFINITY);
    for (let at = 0; at < scores.length; at++) {
      const place = placeOf[at]!;
      if (scores[at]! > highest[place]!) highest[place] = scores[at]!;
    }
    const own = placeOf[query]!;
    const score = highest[own]!;
    let rank = 1;
    for (let place = 0; place < highest.length; place++) {
      if (highest[place]! > score || (highest[place] === score && place < own)) rank++;
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
