import { describe, expect, it } from 'vitest';
import { random } from '../base/index.ts';
import { bandsFor, nearDuplicateIndex, shinglesOf } from './near-duplicates.ts';

const numbers = random(5);
const words = (count: number): string[] => Array.from({ length: count }, () => `w${numbers.integer(5000)}`);

/** Jaccard similarity by its definition, on the shingles as text. */
function similarityOf(left: string[], right: string[]): number {
  const shingles = (list: string[]): Set<string> =>
    new Set(list.slice(0, list.length - 2).map((_, index) => list.slice(index, index + 3).join(' ')));
  const a = shingles(left);
  const b = shingles(right);
  const common = [...a].filter((shingle) => b.has(shingle)).length;
  return common / (a.size + b.size - common);
}

describe('nearDuplicateIndex', () => {
  it('reports exactly the pairs at or above the threshold that brute force finds', () => {
    const texts: string[][] = [];
    for (let index = 0; index < 60; index++) {
      const original = words(120);
      texts.push(original);
      for (let copy = 0; copy < 3; copy++) {
        const changed = [...original];
        for (let change = 0; change < copy * 4; change++) changed[numbers.integer(changed.length)] = 'changed';
        texts.push(changed);
      }
    }
    const index = nearDuplicateIndex({ threshold: 0.8 });
    let expected = 0;
    let missed = 0;
    let wrong = 0;
    for (const [row, text] of texts.entries()) {
      const sketch = index.sketch(text.join(' '));
      const found = new Map(index.find(sketch).map(({ entry, similarity }) => [entry, similarity]));
      for (let other = 0; other < row; other++) {
        const similarity = similarityOf(text, texts[other]!);
        if (similarity >= 0.8) {
          expected++;
          if (!found.has(other)) missed++;
          else if (Math.abs(found.get(other)! - similarity) > 1e-12) wrong++;
        } else if (found.has(other)) wrong++;
      }
      index.insert(sketch);
    }
    expect(wrong).toBe(0);
    expect(expected).toBeGreaterThan(150);
    expect(missed / expected).toBeLessThan(0.01);
  });

  it('ignores case, punctuation and white space', () => {
    const index = nearDuplicateIndex();
    index.insert(index.sketch('Dear friend, I am writing to you.'));
    expect(index.find(index.sketch('  DEAR friend I am\nwriting -- to you!!'))).toEqual([{ entry: 0, similarity: 1 }]);
  });

  it('tells short texts, other scripts and emoji apart', () => {
    const index = nearDuplicateIndex();
    for (const text of ['ok', 'no', '', '你好世界吗', 'Привет мир', '😀 😀', '😀']) index.insert(index.sketch(text));
    const entries = (text: string): number[] => index.find(index.sketch(text)).map(({ entry }) => entry);
    expect(entries('OK')).toEqual([0]);
    expect(entries('你好世界吗')).toEqual([3]);
    expect(entries('привет, мир')).toEqual([4]);
    expect(entries('😀')).toEqual([6]);
    expect(entries('unseen')).toEqual([]);
  });

  it('bounds what it keeps of a long text and still recognizes it', () => {
    const long = words(60_000);
    const index = nearDuplicateIndex();
    const sketch = index.sketch(long.join(' '));
    expect(sketch.shingles.length).toBe(1024);
    index.insert(sketch);
    long[500] = 'changed';
    expect(index.find(index.sketch(long.join(' ')))[0]!.similarity).toBeGreaterThan(0.99);
    expect(index.find(index.sketch(words(60_000).join(' ')))).toEqual([]);
  });

  it('gives the same answer however often the tables have grown', () => {
    const texts = Array.from({ length: 3000 }, () => words(8).join(' '));
    const index = nearDuplicateIndex();
    for (const text of texts) index.insert(index.sketch(text));
    for (const row of [0, 1, 1023, 1024, 2047, 2999]) {
      expect(index.find(index.sketch(texts[row]!)).map(({ entry }) => entry)).toEqual([row]);
    }
  });

  it('chooses bands that miss at most one pair in a hundred at the threshold', () => {
    for (const threshold of [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]) {
      const { bands, rows } = bandsFor(threshold);
      expect((1 - threshold ** rows) ** bands).toBeLessThanOrEqual(0.01);
    }
  });

  it('refuses thresholds that are none', () => {
    for (const threshold of [0, -1, 1.1, Number.NaN]) {
      expect(() => nearDuplicateIndex({ threshold })).toThrow(/expected a number above 0 and up to 1/);
    }
  });

  it('sorts distinct shingles', () => {
    const shingles = shinglesOf('a b c a b c a b c', 3);
    expect(shingles.length).toBe(3);
    expect([...shingles]).toEqual([...shingles].sort((left, right) => left - right));
  });
});
