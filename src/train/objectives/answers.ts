import type { ObjectiveRule } from './objective.ts';

/**
 * F1 of tokens and exact match of windows, by the places of the likeliest start and the likeliest end behind it; the first
 * token stands for "no answer". Reads logits [batch, 2, tokens] beside labels [batch, 2].
 */
export const answers: ObjectiveRule<{ readonly maxAnswerTokens: number }> = {
  headline: 'f1',
  better: 'higher',
  start({ maxAnswerTokens }, { dataset, labels: name, predictions }) {
    const column = dataset.columns[name]!;
    if (column.kind !== 'fixed') throw new Error(`the column "${name}" should have a start and an end for each row`);
    let exact = 0;
    let f1 = 0;
    let rows = 0;
    return {
      outputs: [predictions],
      add(indices, outputs) {
        const { data, dims } = outputs[predictions]!;
        const length = dims[2]!;
        for (const [place, index] of indices.entries()) {
          const logits = (data as Float32Array).subarray(place * 2 * length, (place + 1) * 2 * length);
          const [first, last] = likeliestSpan(logits.subarray(0, length), logits.subarray(length), maxAnswerTokens);
          const [from, to] = [Number(column.values[index * 2]), Number(column.values[index * 2 + 1])];
          if (first === from && last === to) exact++;
          const same = Math.max(0, Math.min(last, to) - Math.max(first, from) + 1);
          f1 += (2 * same) / (last - first + 1 + (to - from + 1));
          rows++;
        }
      },
      metrics: () => ({ exactMatch: rows === 0 ? 0 : exact / rows, f1: rows === 0 ? 0 : f1 / rows }),
    };
  },
};

/** The first token alone, or a start with an end behind it, whichever has the highest sum. */
function likeliestSpan(starts: Float32Array, ends: Float32Array, longest: number): [number, number] {
  let best: [number, number] = [0, 0];
  let highest = starts[0]! + ends[0]!;
  for (let first = 1; first < starts.length; first++) {
    for (let last = first; last < Math.min(ends.length, first + longest); last++) {
      if (starts[first]! + ends[last]! <= highest) continue;
      highest = starts[first]! + ends[last]!;
      best = [first, last];
    }
  }
  return best;
}
