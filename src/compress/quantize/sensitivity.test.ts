import { describe, expect, it } from 'vitest';
import { random, tensor } from '../../base/index.ts';
import { GraphBuilder } from '../../graph/index.ts';
import { quantizeDynamic } from './dynamic.ts';
import { fewestLeft, sensitivityOf } from './sensitivity.ts';

describe('sensitivity', () => {
  it('puts the node first whose quantization changes most', async () => {
    const draw = random(2);
    const normals = (size: number): Float32Array => Float32Array.from({ length: size }, () => draw.normal());
    // One weight far beyond the others leaves these hardly any steps.
    const spiked = normals(64 * 64);
    for (let column = 0; column < 64; column++) spiked[column] = 60;
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['n', 64]);
    const calm = build.op(
      'MatMul',
      [x, build.initializer('v', tensor('float32', [64, 64], normals(64 * 64)))],
      {},
      'calm',
    );
    const rough = build.op('MatMul', [x, build.initializer('w', tensor('float32', [64, 64], spiked))], {}, 'rough');
    build.output(calm, { dtype: 'float32' });
    build.output(rough, { dtype: 'float32' });
    const model = build.build();
    const values = normals(4 * 64);
    for (let row = 0; row < 4; row++) values[row * 64] = 0;
    const found = await sensitivityOf(
      model,
      ['calm', 'rough'],
      async (node) => {
        const except = new Set(['calm', 'rough'].filter((other) => other !== node));
        return quantizeDynamic(model, { except, minimumElements: 0 }).model;
      },
      { x: tensor('float32', [4, 64], values) },
    );
    expect(found.map(({ node }) => node)).toEqual(['rough', 'calm']);
    expect(found[0]!.error).toBeGreaterThan(2 * found[1]!.error);
    expect(found[1]!.error).toBeGreaterThan(0);
  });
});

describe('the fewest left', () => {
  const order = Array.from({ length: 12 }, (_, index) => `n${index}`);
  const needing = (count: number) => {
    const tried: number[] = [];
    const found = fewestLeft(order, async (left) => {
      tried.push(left.size);
      return { holds: left.size >= count, result: left.size };
    });
    return found.then((result) => ({ result, tried }));
  };

  it.each([0, 1, 2, 3, 5, 7, 10, 11])('are found, where %i are needed', async (count) => {
    const { result, tried } = await needing(count);
    expect(result).toEqual({ left: order.slice(0, count), result: count });
    expect(new Set(tried).size).toBe(tried.length);
    expect(tried.length).toBeLessThanOrEqual(9);
  });

  it('are none where it never holds', async () => {
    expect((await needing(12)).result).toBeUndefined();
  });
});
