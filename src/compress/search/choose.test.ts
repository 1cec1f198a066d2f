import { describe, expect, it } from 'vitest';
import { choose, meets } from './choose.ts';
import { type Measured, paretoFront } from './pareto-front.ts';

const model = (name: string, score: number, bytes: number, latencyMs: number): Measured => ({
  name,
  score,
  bytes,
  latencyMs,
});
const SOURCE = model('source', 0.95, 80e6, 40);
const MADE = [
  model('int8', 0.949, 20e6, 20),
  model('student', 0.94, 10e6, 2),
  model('student int8', 0.935, 2.5e6, 1.5),
  model('pruned', 0.945, 40e6, 22),
  model('tiny', 0.8, 1e6, 1),
];

describe('paretoFront', () => {
  it('keeps what nothing beats, by size', () => {
    expect(paretoFront([SOURCE, ...MADE]).map(({ name }) => name)).toEqual([
      'tiny',
      'student int8',
      'student',
      'int8',
      'source',
    ]);
  });

  it('keeps the first of equals, and drops what has no score', () => {
    const front = paretoFront([model('a', 1, 1, 1), model('b', 1, 1, 1), model('c', Number.NaN, 1, 1)]);
    expect(front.map(({ name }) => name)).toEqual(['a']);
    expect(paretoFront([])).toEqual([]);
  });
});

describe('choose', () => {
  it('takes the smallest and fastest that keeps the budget', () => {
    const choice = choose(MADE, SOURCE, { budget: 0.97 });
    expect(choice).toMatchObject({ met: true, chosen: { name: 'student int8' } });
    expect(choice.reason).toBe(
      'student int8 keeps 98.4 % of the score (budget 97.0 %), is 32 times smaller and 27 times as fast; it is the smallest and fastest of the 3 that do so',
    );
    expect(choose(MADE, SOURCE, { budget: 0.995 })).toMatchObject({ chosen: { name: 'int8' } });
  });

  it('with a target, takes the best score of those that meet it', () => {
    expect(choose(MADE, SOURCE, { budget: 0.97, bytes: 15e6 })).toMatchObject({ chosen: { name: 'student' } });
    expect(choose(MADE, SOURCE, { budget: 0.97, latencyMs: 25 })).toMatchObject({ chosen: { name: 'int8' } });
    expect(meets(MADE[1]!, SOURCE, { budget: 0.97, latencyMs: 2 })).toBe(true);
    expect(meets(MADE[1]!, SOURCE, { budget: 0.97, latencyMs: 1.9 })).toBe(false);
  });

  it('says how close it came', () => {
    expect(choose(MADE, SOURCE, { budget: 1 })).toEqual({
      met: false,
      closest: MADE[0],
      reason:
        'nothing keeps the budget of 100.0 %; closest: int8 keeps 99.9 % of the score with 20,000,000 bytes and 20.00 ms',
    });
    const { reason } = choose(MADE, SOURCE, { budget: 0.97, bytes: 1e6 });
    expect(reason).toMatch(/^nothing meets the target within the budget of 97.0 %; closest: student int8 keeps/);
    expect(choose([model('slower', 0.95, 79e6, 41)], SOURCE, { budget: 0.97 })).toEqual({
      met: false,
      reason: 'nothing that was made is smaller or faster than the source',
    });
  });
});
