import { describe, expect, it } from 'vitest';
import { numbersOf } from '../base/index.ts';
import { tensorOf } from '../graph/index.ts';
import { initialize } from './initialization.ts';
import { bert } from './transformer/encoder.ts';

const COUNT = 1_000_001;
const sorted = Float32Array.from(numbersOf(initialize('w', [COUNT], { normal: 2 }, 3))).sort();

describe('normal initialization', () => {
  // Quantiles of the standard normal distribution to six digits (scipy.stats.norm.ppf).
  it.each([
    [0.0005, -3.290527],
    [0.01, -2.326348],
    [0.025, -1.959964],
    [0.25, -0.67449],
    [0.5, 0],
    [0.841345, 1],
    [0.99, 2.326348],
    [0.9995, 3.290527],
  ])('has its quantile at %d', (probability, quantile) => {
    const density = Math.exp((-quantile * quantile) / 2) / Math.sqrt(2 * Math.PI);
    const standardError = Math.sqrt((probability * (1 - probability)) / COUNT) / density;
    const got = sorted[Math.round(probability * (COUNT - 1))]! / 2;
    expect(Math.abs(got - quantile)).toBeLessThan(5 * standardError);
  });

  it('reaches 4.3 standard deviations and no further, alike on both sides', () => {
    expect(sorted[0]! / 2).toBeCloseTo(-4.324919, 6); // norm.ppf(0.5 / 65536)
    expect(sorted[COUNT - 1]! / 2).toBeCloseTo(4.324919, 6);
  });

  it('has neighbours that do not depend on each other', () => {
    const values = numbersOf(initialize('w', [COUNT], { normal: 1 }, 3));
    for (const lag of [1, 2, 65_536]) {
      let sum = 0;
      for (let index = lag; index < COUNT; index++) sum += values[index]! * values[index - lag]!;
      expect(Math.abs(sum / (COUNT - lag))).toBeLessThan(5 / Math.sqrt(COUNT - lag));
    }
  });

  it('depends on the seed and on the name', () => {
    const first = (name: string, seed: number): number[] => numbersOf(initialize(name, [4], { normal: 1 }, seed));
    expect(first('a', 1)).toEqual(first('a', 1));
    expect(first('a', 1)).not.toEqual(first('a', 2));
    expect(first('a', 1)).not.toEqual(first('b', 1));
  });

  it('leaves the row of padding at zero', () => {
    const values = numbersOf(initialize('w', [3, 2], { normal: 1, zeroRow: 1 }, 1));
    expect(values.map((value) => value === 0)).toEqual([false, false, true, true, false, false]);
  });
});

it('begins norms at one, biases at zero, and gives a layer more without changing the others', () => {
  const config = { vocab_size: 9, hidden_size: 8, num_attention_heads: 2, intermediate_size: 8, pad_token_id: 3 };
  const parameters = (layers: number): Map<string, number[]> =>
    new Map(
      [...bert({ ...config, num_hidden_layers: layers }, { seed: 5 }).graph.initializers]
        .filter(([name]) => /\.(weight|bias)$/.test(name))
        .map(([name, value]) => [name, numbersOf(tensorOf(value))]),
    );
  const [one, two] = [parameters(1), parameters(2)];
  for (const [name, values] of one) expect(two.get(name), name).toEqual(values);
  expect(two.size).toBe(one.size + 16);
  expect(one.get('bert.embeddings.LayerNorm.weight')).toEqual(new Array(8).fill(1));
  expect(one.get('bert.pooler.dense.bias')).toEqual(new Array(8).fill(0));
  expect(one.get('bert.embeddings.word_embeddings.weight')!.slice(24, 32)).toEqual(new Array(8).fill(0));
});
