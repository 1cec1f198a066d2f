import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../../base/index.ts';
import { type MaskTokens, maskTokens } from './mask-tokens.ts';

const LENGTH = 64;
const RULES: MaskTokens = {
  kind: 'mask-tokens',
  maskId: 4,
  vocabularySize: 1000,
  specialIds: [0, 1, 2, 3, 4],
  share: 0.15,
};

/** Row r is [CLS] = 2, then ids that tell their row and place, then [SEP] = 3 and padding = 0. */
function batchOf(rows: number, tokens = LENGTH - 2): Record<string, Tensor> {
  const ids = BigInt64Array.from({ length: rows * LENGTH }, (_, at) => {
    const place = at % LENGTH;
    if (place === 0) return 2n;
    if (place <= tokens) return BigInt(5 + ((at * 31) % 900));
    return place === tokens + 1 ? 3n : 0n;
  });
  const mask = BigInt64Array.from({ length: rows * LENGTH }, (_, at) => (at % LENGTH <= tokens + 1 ? 1n : 0n));
  return {
    input_ids: tensor('int64', [rows, LENGTH], ids),
    attention_mask: tensor('int64', [rows, LENGTH], mask),
  };
}

const numbers = (value: Tensor | undefined): number[] => Array.from(value!.data as BigInt64Array, Number);
const indices = (rows: number, from = 0): Int32Array => Int32Array.from({ length: rows }, (_, row) => from + row);

describe('masking', () => {
  it('hides 15 % of the tokens of each text, in the shares of BERT, and no special token', () => {
    const batch = batchOf(400);
    const before = numbers(batch.input_ids);
    const masked = maskTokens(batch, RULES, { indices: indices(400), epoch: 0, seed: 7 });
    const after = numbers(masked.input_ids);
    const places = numbers(masked.masked_positions);
    expect(places).toHaveLength(400 * Math.round(0.15 * (LENGTH - 2)));
    expect(new Set(places).size).toBe(places.length);
    expect(numbers(masked.labels)).toEqual(places.map((at) => before[at]!));
    for (const at of places) expect(before[at]).toBeGreaterThan(4);
    const chosen = new Set(places);
    for (const [at, id] of after.entries()) if (!chosen.has(at)) expect(id).toBe(before[at]);
    const share = (test: (at: number) => boolean): number => places.filter(test).length / places.length;
    // Three standard deviations of 3,600 draws are 0.02.
    expect(share((at) => after[at] === 4)).toBeCloseTo(0.8, 1.5);
    expect(share((at) => after[at] === before[at])).toBeCloseTo(0.1, 1.5);
    for (const at of places) expect([0, 1, 2, 3]).not.toContain(after[at]);
    expect(numbers(batch.input_ids)).toEqual(before);
  });

  it('depends on the seed, the epoch and the example, and on nothing else', () => {
    const of = (epoch: number, seed: number, from = 0, rows = 4): number[] => {
      const all = batchOf(8);
      const slice = (value: Tensor): Tensor =>
        tensor('int64', [rows, LENGTH], (value.data as BigInt64Array).slice(from * LENGTH, (from + rows) * LENGTH));
      const batch = { input_ids: slice(all.input_ids!), attention_mask: slice(all.attention_mask!) };
      return numbers(maskTokens(batch, RULES, { indices: indices(rows, from), epoch, seed }).input_ids);
    };
    expect(of(0, 1)).toEqual(of(0, 1));
    expect(of(0, 1)).not.toEqual(of(1, 1));
    expect(of(0, 1)).not.toEqual(of(0, 2));
    // In another batch, row 3 is hidden in the same places.
    expect(of(0, 1).slice(3 * LENGTH)).toEqual(of(0, 1, 3, 1));
  });

  it('asks for one token at least, and for a label that does not count where there is none', () => {
    const one = maskTokens(batchOf(1, 2), RULES, { indices: indices(1), epoch: 0, seed: 1 });
    expect(numbers(one.labels)).toHaveLength(1);
    const none = maskTokens(batchOf(2, 0), RULES, { indices: indices(2), epoch: 0, seed: 1 });
    expect([numbers(none.masked_positions), numbers(none.labels)]).toEqual([[0], [-100]]);
  });

  it('takes words whole', () => {
    // Words of two tokens: the second of each goes on with the first.
    const ids = BigInt64Array.from({ length: LENGTH }, (_, at) =>
      at === 0 ? 2n : at === LENGTH - 1 ? 3n : BigInt(at % 2 === 1 ? 10 : 20),
    );
    const batch = {
      input_ids: tensor('int64', [1, LENGTH], ids),
      attention_mask: tensor('int64', [1, LENGTH], new BigInt64Array(LENGTH).fill(1n)),
    };
    const rules = { ...RULES, continuationIds: [20] };
    for (let seed = 0; seed < 20; seed++) {
      const places = numbers(maskTokens(batch, rules, { indices: [0], epoch: 0, seed }).masked_positions);
      expect(places).toHaveLength(8);
      for (const at of places) expect(places).toContain(at % 2 === 1 ? at + 1 : at - 1);
    }
  });
});
