import { describe, expect, test } from 'vitest';
import { random } from '../base/random.ts';
import {
  addDimensions,
  broadcastDimensions,
  broadcastShapes,
  differentDimensions,
  divideDimensions,
  divideDimensionsExactly,
  equalDimensions,
  evaluateDimension,
  isAtMost,
  maximumOfDimensions,
  minimumOfDimensions,
  moduloDimensions,
  multiplyDimensions,
  productOfDimensions,
  subtractDimensions,
  unifyDimensions,
  unifyShapes,
} from './dimension.ts';
import type { Dimension } from './ir.ts';

describe('arithmetic has one text for equal expressions', () => {
  test.each<[string, Dimension, Dimension]>([
    ['a product', multiplyDimensions('batch', 12), 'batch*12'],
    ['its order', multiplyDimensions(multiplyDimensions(12, 'sequence'), 'batch'), 'batch*sequence*12'],
    ['a power', multiplyDimensions('a', 'a'), 'a*a'],
    ['a product with 1', multiplyDimensions('batch', 1), 'batch'],
    ['a product with 0', multiplyDimensions(null, 0), 0],
    ['an unknown product', multiplyDimensions('batch', null), null],
    ['a sum', addDimensions('sequence', 'past'), 'past + sequence'],
    ['a sum with a number', addDimensions(1, addDimensions('past', 1)), 'past + 2'],
    ['equal summands', addDimensions('a', 'a'), 'a*2'],
    ['a difference', subtractDimensions('sequence', 1), 'sequence - 1'],
    ['a difference of names', subtractDimensions('a', 'b'), 'a - b'],
    ['what is left of a sum', subtractDimensions('past + sequence', 'past'), 'sequence'],
    ['nothing left', subtractDimensions('a*2', addDimensions('a', 'a')), 0],
    ['a negative', subtractDimensions(0, 'a'), '-a'],
    ['a number first', subtractDimensions(5, 'a'), '5 - a'],
    ['a product of sums', multiplyDimensions('a + 1', 'b'), 'a*b + b'],
    ['a text of an exporter', addDimensions('past_sequence_length + 1', 0), 'past_sequence_length + 1'],
    ['another order', addDimensions('2*s0', 's1*3'), 's0*2 + s1*3'],
    ['names with signs', addDimensions('batch-size', 'x.1::y'), 'batch-size + x.1::y'],
    ['a name that is no expression', multiplyDimensions('unk (', 2), 'unk (*2'],
  ])('%s', (_, got, expected) => expect(got).toBe(expected));

  test.each<[string, Dimension, Dimension]>([
    ['of numbers, toward zero', divideDimensions(-7, 2), -3],
    ['of a product', divideDimensions('batch*sequence*384', 'sequence*32'), 'batch*12'],
    ['of a sum', divideDimensions('a*b + a', 'b + 1'), 'a'],
    ['by itself', divideDimensions('a', 'a'), 1],
    ['with a rest', divideDimensions('sequence', 2), 'floor(sequence/2)'],
    ['with a rest taken out', divideDimensions('sequence*3 + 5', 2), 'floor((sequence + 1)/2) + sequence + 2'],
    ['with a rest that is a number', divideDimensions('sequence*2 + 1', 2), 'sequence'],
    ['by a name', divideDimensions('a', 'b'), 'floor(a/b)'],
    ['by a sum', divideDimensions(64, 'b + 1'), 'floor(64/(b + 1))'],
    ['by zero', divideDimensions('a', 0), null],
    ['exactly', divideDimensionsExactly('a*6', 4), null],
    ['modulo', moduloDimensions('a*2 + 5', 2), 1],
    ['modulo of a name', moduloDimensions('a', 8), 'mod(a, 8)'],
  ])('division %s', (_, got, expected) => expect(got).toBe(expected));

  test.each<[string, Dimension, Dimension]>([
    ['of numbers', minimumOfDimensions(3, 5, 4), 3],
    ['of a name and a number', minimumOfDimensions(512, 'sequence'), 'min(sequence, 512)'],
    ['in another order', minimumOfDimensions('sequence', 512), 'min(sequence, 512)'],
    ['nested', minimumOfDimensions('min(sequence, 512)', 64), 'min(sequence, 64)'],
    ['of ordered expressions', minimumOfDimensions('a', 'a + 1'), 'a'],
    ['with an unknown', minimumOfDimensions('a', null), null],
    ['maximum', maximumOfDimensions('a', 1, 2), 'max(a, 2)'],
    ['maximum with 0', maximumOfDimensions('a', 0), 'a'],
    ['the same twice', maximumOfDimensions('a', 'a'), 'a'],
  ])('minimum %s', (_, got, expected) => expect(got).toBe(expected));
});

test('expressions that would grow without end are unknown', () => {
  let sum: Dimension = 0;
  for (let index = 0; index < 40; index++) sum = addDimensions(sum, `name_${index}`);
  expect(sum).toBeNull();
  let product: Dimension = 1;
  for (let index = 0; index < 40; index++) product = multiplyDimensions(product, `name_${index}`);
  expect(product).toBeNull();
  expect(multiplyDimensions(2 ** 40, 2 ** 40)).toBeNull();
});

describe('comparisons say only what holds for sure', () => {
  test('equal', () => {
    expect(equalDimensions('a*2', '2*a')).toBe(true);
    expect(equalDimensions('a', 'b')).toBe(false);
    expect(equalDimensions(null, null)).toBe(false);
    expect(equalDimensions('a', 1)).toBe(false);
  });

  test('different', () => {
    expect(differentDimensions('a', 'a + 1')).toBe(true);
    expect(differentDimensions('a', -1)).toBe(true);
    expect(differentDimensions('a + 1', 0)).toBe(true);
    expect(differentDimensions('a', 0)).toBe(false);
    expect(differentDimensions('a', 'b')).toBe(false);
    expect(differentDimensions(null, 3)).toBe(false);
  });

  test('at most', () => {
    expect(isAtMost('a', 'a + b')).toBe(true);
    expect(isAtMost('min(a, 5)', 'a')).toBe(true);
    expect(isAtMost('min(a, 5)', 7)).toBe(true);
    expect(isAtMost('a', 'max(a, 3)')).toBe(true);
    expect(isAtMost('a', 5)).toBe(false);
    expect(isAtMost('a - 1', 'a')).toBe(true);
  });

  test('unified', () => {
    expect(unifyDimensions('a', 3)).toBe(3);
    expect(unifyDimensions(null, 'a')).toBe('a');
    expect(unifyDimensions('a', 'b')).toBe('a');
    expect(unifyDimensions(2, 3)).toBeUndefined();
    expect(unifyDimensions('a', 'a + 1')).toBeUndefined();
    expect(unifyShapes(['a', null, 3], [2, 'b', 3])).toEqual([2, 'b', 3]);
    expect(unifyShapes(['a'], ['a', 1])).toBeUndefined();
  });
});

describe('broadcasting', () => {
  test.each<[Dimension, Dimension, Dimension | undefined]>([
    ['batch', 1, 'batch'],
    ['batch', 'batch', 'batch'],
    ['batch', 'other', null],
    ['batch', 7, 7],
    ['batch', 0, null],
    [0, 'batch', null],
    [null, 7, 7],
    [null, 1, null],
    [null, 'batch', null],
    [3, 4, undefined],
    ['min(sequence, 512)', 'sequence', 'sequence'],
    ['sequence', 'min(sequence, 512)', 'sequence'],
    ['a*2', '2*a', 'a*2'],
  ])('%s with %s is %s', (a, b, expected) => expect(broadcastDimensions(a, b)).toBe(expected));

  test('of shapes aligns their ends', () => {
    expect(broadcastShapes([['batch', 1, 'sequence'], [12, 1], []])).toEqual(['batch', 12, 'sequence']);
    expect(broadcastShapes([[2, 3], [4]])).toBeUndefined();
  });
});

test('the number of elements', () => {
  expect(productOfDimensions(['batch', 'sequence', 384])).toBe('batch*sequence*384');
  expect(productOfDimensions([null, 0])).toBe(0);
  expect(productOfDimensions([])).toBe(1);
});

describe('evaluation', () => {
  test.each<[Dimension, number | null]>([
    ['batch*sequence*12', 7 * 5 * 12],
    ['sequence + floor((sequence + 1)/2) - 2', 5 + 3 - 2],
    ['min(sequence, 512)', 5],
    ['max(batch*2, 3)', 14],
    ['mod(batch, 4)', 3],
    ['floor(batch*sequence/(batch + 1))', 4],
    ['batch*min(sequence, 3)', 21],
    ['unknown + 1', null],
    [null, null],
  ])('of %s', (dimension, expected) => {
    expect(evaluateDimension(dimension, { batch: 7, sequence: 5 })).toBe(expected);
  });

  test('agrees with the arithmetic of numbers', () => {
    const { integer } = random(11);
    const operations = [
      [addDimensions, (a: number, b: number) => a + b],
      [multiplyDimensions, (a: number, b: number) => a * b],
      [divideDimensions, (a: number, b: number) => Math.floor(a / b)],
      [moduloDimensions, (a: number, b: number) => a % b],
      [minimumOfDimensions, Math.min],
      [maximumOfDimensions, Math.max],
    ] as const;
    let checked = 0;
    for (let round = 0; round < 2000; round++) {
      const names = { a: 1 + integer(9), b: 1 + integer(9), c: 1 + integer(9) };
      let dimension: Dimension = 'abc'[integer(3)]!;
      let value: number = names[dimension as 'a' | 'b' | 'c'];
      for (let step = 0; step < 5 && dimension !== null; step++) {
        const [symbolic, numeric] = operations[integer(operations.length)]!;
        const operand = integer(2) === 0 ? 1 + integer(6) : 'abc'[integer(3)]!;
        dimension = symbolic(dimension, operand);
        value = numeric(value, typeof operand === 'number' ? operand : names[operand as 'a' | 'b' | 'c']);
      }
      if (dimension === null) continue;
      expect(evaluateDimension(dimension, names), `${dimension}`).toBe(value);
      checked++;
    }
    expect(checked).toBeGreaterThan(1500);
  });
});
