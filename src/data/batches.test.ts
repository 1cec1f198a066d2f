import { describe, expect, test } from 'vitest';
import { random } from '../base/index.ts';
import { bucketedBatches, paddingShare } from './batches.ts';

/** Lengths as mails have them: log-normal, cut at 128. */
function mailLengths(count: number): Int32Array {
  const numbers = random(3);
  return Int32Array.from({ length: count }, () =>
    Math.max(2, Math.min(128, Math.round(Math.exp(4.4 + 1.1 * numbers.normal())))),
  );
}

const lengths = mailLengths(5003);
const shuffled = { lengths, batchSize: 32, seed: 7, epoch: 0, shuffle: true };

describe('shuffled batches', () => {
  test.each([
    ['plain', {}],
    ['limited tokens', { maxTokensPerBatch: 1000 }],
    ['one example', { lengths: [5] }],
    ['none', { lengths: [] }],
    ['batches of one', { batchSize: 1 }],
  ])('%s: every example once', (_, changes) => {
    const options = { ...shuffled, ...changes };
    const seen = bucketedBatches(options).flatMap((batch) => [...batch]);
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from(options.lengths, (_, index) => index));
  });

  test('waste little on padding where random batches waste much', () => {
    const order = Int32Array.from(lengths, (_, index) => index);
    const plain = Array.from({ length: 157 }, (_, batch) => order.slice(batch * 32, (batch + 1) * 32));
    expect(paddingShare(bucketedBatches(shuffled), lengths)).toBeLessThan(0.1);
    expect(paddingShare(plain, lengths)).toBeGreaterThan(0.3);
  });

  test('are a function of seed and epoch', () => {
    expect(bucketedBatches(shuffled)).toEqual(bucketedBatches({ ...shuffled }));
    expect(bucketedBatches({ ...shuffled, epoch: 1 })).not.toEqual(bucketedBatches(shuffled));
    expect(bucketedBatches({ ...shuffled, seed: 8 })).not.toEqual(bucketedBatches(shuffled));
  });

  test('mix companions and lengths from epoch to epoch', () => {
    const companions = (epoch: number): Set<number> =>
      new Set(bucketedBatches({ ...shuffled, epoch }).find((batch) => batch.includes(17)));
    const [first, second] = [companions(0), companions(1)];
    expect([...first].filter((index) => second.has(index)).length).toBeLessThan(16);
    const longest = bucketedBatches(shuffled).map((batch) => lengths[batch[0]!]!);
    const steps = longest.slice(1).map((length, index) => Math.abs(length - longest[index]!));
    expect(steps.reduce((a, b) => a + b, 0) / steps.length).toBeGreaterThan(15);
  });

  test('keep to the token limit, a longer example stands alone', () => {
    const batches = bucketedBatches({ ...shuffled, maxTokensPerBatch: 100 });
    for (const batch of batches) {
      const longest = Math.max(...[...batch].map((index) => lengths[index]!));
      expect(batch.length === 1 || batch.length * longest <= 100).toBe(true);
    }
  });

  test('dropLast leaves full batches only', () => {
    const batches = bucketedBatches({ ...shuffled, dropLast: true });
    expect(batches.length).toBe(Math.floor(5003 / 32));
    expect(batches.every((batch) => batch.length === 32)).toBe(true);
  });
});

test('evaluation goes from long to short, the same every epoch, equals in their order', () => {
  const batches = bucketedBatches({ lengths: [3, 5, 3, 9, 5], batchSize: 2, seed: 1, epoch: 4, shuffle: false });
  expect(batches.map((batch) => [...batch])).toEqual([[3, 1], [4, 0], [2]]);
});

test.each([{ batchSize: 0 }, { batchSize: 1.5 }, { maxTokensPerBatch: 0 }])('refuses %o', (changes) => {
  expect(() => bucketedBatches({ ...shuffled, ...changes })).toThrow(/positive integer/);
});
