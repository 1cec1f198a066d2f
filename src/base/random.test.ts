import { describe, expect, it } from 'vitest';
import { deriveSeed, hash32, random } from './random.ts';

describe('random', () => {
  it('is xoshiro128**', () => {
    // The reference code of Blackman and Vigna from state 1, 2, 3, 4 gives these words first.
    const words = [11520, 0, 5927040, 70819200];
    const numbers = random([1, 2, 3, 4]);
    const expected = [words.slice(0, 2), words.slice(2)].map(
      ([high, low]) => ((high! >>> 5) * 67108864 + (low! >>> 6)) / 2 ** 53,
    );
    expect([numbers.uniform(), numbers.uniform()]).toEqual(expected);
  });

  it('continues from a saved state', () => {
    const numbers = random(7);
    for (let index = 0; index < 100; index++) numbers.normal();
    const continued = random(numbers.state());
    const draw = ({ uniform, integer, normal }: typeof numbers) => [uniform(), integer(1000), normal(), uniform()];
    expect(draw(continued)).toEqual(draw(numbers));
  });

  it('is even: each of 16 parts of [0, 1) and of 16 integers has its share', () => {
    const numbers = random(42);
    const count = 160_000;
    const parts = new Array<number>(16).fill(0);
    const integers = new Array<number>(16).fill(0);
    for (let index = 0; index < count; index++) {
      parts[Math.floor(numbers.uniform() * 16)]!++;
      integers[numbers.integer(16)]!++;
    }
    for (const counts of [parts, integers]) {
      const expected = count / 16;
      const chiSquare = counts.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0);
      // 99.9 % of chi-square with 15 degrees of freedom.
      expect(chiSquare).toBeLessThan(37.7);
    }
  });

  it('has normal numbers of mean 0, variance 1, skewness 0 and kurtosis 3', () => {
    const numbers = random(3);
    const count = 100_000;
    const sums = [0, 0, 0, 0];
    for (let index = 0; index < count; index++) {
      const value = numbers.normal();
      for (let power = 0; power < 4; power++) sums[power]! += value ** (power + 1) / count;
    }
    // Four standard errors: √(1, 2, 15, 96) / √count.
    for (const [power, [mean, variance]] of [
      [0, 1],
      [1, 2],
      [0, 15],
      [3, 96],
    ].entries()) {
      expect(Math.abs(sums[power]! - mean!)).toBeLessThan(4 * Math.sqrt(variance! / count));
    }
  });

  it('shuffles into every order alike, and keeps what was there', () => {
    const numbers = random(5);
    const orders = new Map<string, number>();
    for (let index = 0; index < 24_000; index++) {
      const order = numbers.shuffle([0, 1, 2, 3]).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(24);
    const chiSquare = [...orders.values()].reduce((sum, found) => sum + (found - 1000) ** 2 / 1000, 0);
    // 99.9 % of chi-square with 23 degrees of freedom.
    expect(chiSquare).toBeLessThan(49.7);
    expect([...numbers.shuffle(Int32Array.of(5, 6, 7))].sort()).toEqual([5, 6, 7]);
  });
});

describe('derived seeds', () => {
  it('differ by seed, purpose and number', () => {
    const seeds = [1, 2].flatMap((seed) =>
      ['order', 'dropout'].flatMap((purpose) =>
        Array.from({ length: 100 }, (_, index) => deriveSeed(seed, purpose, index)),
      ),
    );
    expect(new Set(seeds).size).toBe(400);
    expect(deriveSeed(1, 'a', 'b')).toBe(deriveSeed(1, 'a', 'b'));
    expect(deriveSeed(1, 'a', 'b')).not.toBe(deriveSeed(1, 'ab'));
  });

  it('stay the same in every version: runs are repeated by them', () => {
    expect([hash32(''), hash32('lathe'), deriveSeed(42, 'order', 0)]).toMatchInlineSnapshot(`
      [
        2872998923,
        2079360353,
        2758449664,
      ]
    `);
  });
});
