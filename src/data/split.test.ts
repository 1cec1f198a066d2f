import { describe, expect, it } from 'vitest';
import { groups } from './groups.ts';
import { hashIndex, hashText } from './hash-index.ts';
import { position, splitAt, splitOf } from './split.ts';

describe('splitOf', () => {
  it('knows the usual words and no others', () => {
    expect(
      ['train', 'Training', ' dev ', 'val', 'VALID', 'validation', 'test', 'testing', 'eval'].map(splitOf),
    ).toEqual(['train', 'train', 'validation', 'validation', 'validation', 'validation', 'test', 'test', 'test']);
    expect(['', 'holdout', 'toString', 'constructor'].map(splitOf)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('position', () => {
  const places = Array.from({ length: 20_000 }, (_, index) => position(hashText(`text ${index}`), 3));

  it('spreads keys evenly', () => {
    const bins = new Array<number>(20).fill(0);
    for (const place of places) bins[Math.floor(place * 20)]!++;
    // 1,000 a bin are expected, with a standard deviation of 31: five of these hold for any good hash.
    for (const count of bins) expect(Math.abs(count - 1000)).toBeLessThan(155);
  });

  it('depends on the seed', () => {
    const moved = places.filter((place, index) => Math.abs(place - position(hashText(`text ${index}`), 4)) > 1e-6);
    expect(moved.length).toBeGreaterThan(19_900);
  });
});

describe('splitAt', () => {
  it('gives each split its share, whatever the shares add up to', () => {
    const fractions = { train: 8, validation: 1, test: 1 };
    expect([0, 0.0999, 0.1001, 0.1999, 0.2001, 0.9999].map((place) => splitAt(place, fractions))).toEqual([
      'test',
      'test',
      'validation',
      'validation',
      'train',
      'train',
    ]);
    expect(splitAt(0, { train: 1, validation: 0, test: 0 })).toBe('train');
    expect(() => splitAt(0, { train: 0, validation: 0, test: 0 })).toThrow(/expected a sum above 0/);
  });
});

describe('groups', () => {
  it('joins sets under their earliest row', () => {
    const sets = groups();
    sets.join(5, 9);
    sets.join(9, 7);
    sets.join(5000, 7);
    sets.join(3, 5000);
    expect([3, 5, 7, 9, 5000, 4, 123_456].map(sets.find)).toEqual([3, 3, 3, 3, 3, 4, 123_456]);
  });

  it('stays quick on a long chain', () => {
    const sets = groups();
    for (let row = 100_000; row > 0; row--) sets.join(row, row - 1);
    expect(sets.find(100_000)).toBe(0);
  });
});

describe('hashIndex', () => {
  it('remembers the first of equal hashes among many', () => {
    const index = hashIndex();
    for (let row = 0; row < 5000; row++) expect(index.add(hashText(`t${row}`), row)).toBeUndefined();
    expect([0, 777, 4999].map((row) => index.add(hashText(`t${row}`), 9999))).toEqual([0, 777, 4999]);
    expect(index.size).toBe(5000);
    expect(index.get(hashText('never'))).toBeUndefined();
  });
});
