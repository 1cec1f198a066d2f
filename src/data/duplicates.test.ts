import { describe, expect, it } from 'vitest';
import { duplicateKey, exactDuplicates, nearDuplicates } from './duplicates.ts';
import { groups } from './groups.ts';

const text = (changed: number): string =>
  Array.from({ length: 80 }, (_, index) => (index < changed ? `c${index}` : `w${index}`)).join(' ');

describe('duplicateKey', () => {
  it('ignores case, white space and Unicode form, and nothing else', () => {
    expect(duplicateKey(' Caf\u00e9\n\tX ')).toEqual(duplicateKey('cafe\u0301 x'));
    expect(duplicateKey('a b')).not.toEqual(duplicateKey('ab'));
    expect(duplicateKey('a.')).not.toEqual(duplicateKey('a'));
  });
});

describe('exactDuplicates', () => {
  it('tells duplicates, conflicts and leaks', () => {
    const together = groups();
    const search = exactDuplicates(together);
    expect(search.check({ row: 0, text: 'a', label: 0, split: -1 }).kind).toBe('first');
    expect(search.check({ row: 4, text: 'A ', label: 0, split: -1 })).toEqual({
      kind: 'duplicate',
      of: 0,
      similarity: 1,
    });
    expect(search.check({ row: 5, text: 'a', label: 1, split: -1 })).toEqual({
      kind: 'conflict',
      with: 0,
      similarity: 1,
    });
    expect(search.leaks).toEqual([]);
    expect(search.check({ row: 6, text: 'a', label: 0, split: 2 }).kind).toBe('first');
    expect(search.leaks).toEqual([{ kind: 'exact', row: 6, other: 0, similarity: 1 }]);
    expect([4, 5, 6].map(together.find)).toEqual([0, 0, 0]);
    // The first stands for its copies, whatever their labels.
    expect([...search.copies.data.subarray(0, search.copies.length)]).toEqual([4, 0, 5, 0]);
  });
});

describe('nearDuplicates', () => {
  it('keeps no two rows of one label that are alike, and joins those of two', () => {
    const together = groups();
    const dropped = new Set<number>();
    const search = nearDuplicates(together, (row) => !dropped.has(row), { keepAll: false });
    const check = (row: number, changed: number, label: number) =>
      search.check({ row, text: text(changed), label, split: -1 });
    expect(check(0, 0, 0).kind).toBe('first');
    expect(check(1, 4, 0)).toMatchObject({ kind: 'duplicate', of: 0 });
    dropped.add(1);
    // Like the row that was dropped, but not like the one that stands for it: it stays.
    expect(check(2, 12, 0).kind).toBe('first');
    expect(check(3, 4, 1)).toMatchObject({ kind: 'conflict', with: 0 });
    expect(together.find(3)).toBe(0);
    // A row that went later, as one of two that contradict each other, stands for nothing.
    dropped.add(2);
    expect(check(4, 14, 0).kind).toBe('first');
  });

  it('joins whole chains when all are kept', () => {
    const together = groups();
    const search = nearDuplicates(together, () => true, { keepAll: true });
    for (let row = 0; row < 10; row++) search.check({ row, text: text(row * 5), label: 0, split: -1 });
    expect(together.find(9)).toBe(0);
    expect(search.check({ row: 10, text: text(45), label: 0, split: 1 }).kind).toBe('first');
    expect(search.leaks.length).toBeGreaterThan(0);
  });
});
