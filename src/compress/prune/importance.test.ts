import { describe, expect, it } from 'vitest';
import { random, sizeOf, type Tensor, tensorFrom } from '../../base/index.ts';
import { evaluate, GraphBuilder, type Model, stored, tensorOf } from '../../graph/index.ts';
import { attachLoss, bert, meanSquaredError, presetConfig } from '../../nn/index.ts';
import { chooseUnits } from './choose.ts';
import { dependenciesOf } from './dependencies.ts';
import { type ImportanceData, importanceOf } from './importance.ts';
import { cutTo } from './reach.ts';

function noise(seed: number, dims: readonly number[]): Tensor {
  const source = random(seed);
  return tensorFrom(
    'float32',
    Array.from({ length: sizeOf(dims) }, () => source.normal()),
    dims,
  );
}

/** 3 → 4 → 2 → 5 → 2, with biases; the groups are a, c and e. */
function network(): Model {
  const build = new GraphBuilder();
  let x = build.input('x', 'float32', ['rows', 3]);
  const layer = (name: string, inputs: number, outputs: number, seed: number): void => {
    const weight = build.initializer(name, noise(seed, [inputs, outputs]));
    x = build.add(build.matMul(x, weight), build.initializer(`${name}.bias`, noise(seed + 1, [outputs])));
  };
  layer('a', 3, 4, 1);
  x = build.op('Tanh', [x]);
  layer('b', 4, 2, 3);
  layer('c', 2, 5, 5);
  x = build.op('Relu', [x]);
  layer('d', 5, 2, 7);
  build.output(x, { dtype: 'float32', shape: ['rows', 2] }, 'y');
  return build.build();
}

const model = network();
const dependencies = dependenciesOf(model);
const BATCHES = [0, 1, 2].map((batch) => ({ x: noise(20 + batch, [4, 3]), labels: noise(30 + batch, [4, 2]) }));
const withLoss = (given: Model): Model => attachLoss(given, meanSquaredError(), { predictions: 'y', labels: 'labels' });
const DATA: ImportanceData = { withLoss, batches: BATCHES, threads: 1 };

/** The loss with the weights of a unit multiplied. */
function lossOf(group: number, unit: number, factor: number, feeds: Readonly<Record<string, Tensor>>): number {
  const initializers = new Map(model.graph.initializers);
  for (const { tensor, axis, indices } of dependencies.groups[group]!.units[unit]!.slices) {
    const { dims, data } = tensorOf(initializers.get(tensor)!);
    const inner = sizeOf(dims.slice(axis + 1));
    const scaled = Array.from(data as Float32Array, (value, at) =>
      indices.includes(Math.floor(at / inner) % dims[axis]!) ? value * factor : value,
    );
    initializers.set(tensor, stored(tensorFrom('float32', scaled, dims)));
  }
  const changed = withLoss({ ...model, graph: { ...model.graph, initializers } });
  return Number(evaluate(changed, feeds).loss!.data[0]);
}

describe('importance', () => {
  it('has a number for each unit of each group', async () => {
    expect(dependencies.groups.map(({ name, units }) => [name, units.length])).toEqual([
      ['a[1]', 4],
      ['b[1]', 2],
      ['c[1]', 5],
    ]);
    for (const kind of ['magnitude', 'norm', 'taylor', 'movement', 'wanda'] as const) {
      const scores = await importanceOf(dependencies, kind, DATA);
      expect(scores.map((own) => own.length)).toEqual([4, 2, 5]);
      expect(scores.every((own) => own.every(Number.isFinite))).toBe(true);
    }
  });

  it('taylor and movement are what a change of all weights of a unit does to the loss, by differences', async () => {
    const step = 1e-3;
    const slope = (group: number, unit: number, feeds: (typeof BATCHES)[0]): number =>
      (lossOf(group, unit, 1 + step, feeds) - lossOf(group, unit, 1 - step, feeds)) / (2 * step);
    const taylor = await importanceOf(dependencies, 'taylor', DATA);
    const movement = await importanceOf(dependencies, 'movement', DATA);
    for (const [group, { units }] of dependencies.groups.entries()) {
      for (const unit of units.keys()) {
        const slopes = BATCHES.map((batch) => slope(group, unit, batch));
        const mean = (values: readonly number[]): number =>
          values.reduce((sum, value) => sum + value, 0) / values.length;
        const expected = mean(slopes.map((value) => value ** 2));
        expect(Math.abs(taylor[group]![unit]! - expected)).toBeLessThan(1e-3 * expected + 1e-4);
        expect(movement[group]![unit]).toBeCloseTo(-mean(slopes), 2);
      }
    }
  });

  it('magnitude is the root mean square of the weights of a unit', async () => {
    const [first] = await importanceOf(dependencies, 'magnitude');
    const at = (name: string, index: number): number =>
      Number(tensorOf(model.graph.initializers.get(name)!).data[index]);
    const own = [at('a', 2), at('a', 6), at('a', 10), at('a.bias', 2), at('b', 4), at('b', 5)];
    expect(first![2]).toBeCloseTo(Math.sqrt(own.reduce((sum, value) => sum + value ** 2, 0) / own.length), 6);
  });

  it('wanda is the weights that read a unit, times the length of what comes in', async () => {
    const scores = await importanceOf(dependencies, 'wanda', DATA);
    const weight = tensorOf(model.graph.initializers.get('a')!).data as Float32Array;
    const bias = tensorOf(model.graph.initializers.get('a.bias')!).data as Float32Array;
    const readers = tensorOf(model.graph.initializers.get('b')!).data as Float32Array;
    let squares = 0;
    for (const { x } of BATCHES) {
      for (let row = 0; row < 4; row++) {
        let sum = bias[1]!;
        for (let input = 0; input < 3; input++) sum += Number(x.data[row * 3 + input]) * weight[input * 4 + 1]!;
        squares += Math.tanh(sum) ** 2;
      }
    }
    expect(scores[0]![1]).toBeCloseTo(Math.sqrt(squares) * (Math.abs(readers[2]!) + Math.abs(readers[3]!)), 4);
  });

  it('norm is the scale of what normalizes a unit', async () => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', [1, 2, 3, 3]);
    const convolved = build.op('Conv', [x, build.initializer('w', noise(1, [3, 2, 1, 1]))]);
    const part = (name: string, values: readonly number[]) => build.initializer(name, tensorFrom('float32', values));
    const normed = build.op('BatchNormalization', [
      convolved,
      part('scale', [-3, 0.5, 1]),
      part('shift', [0, 1, 2]),
      part('mean', [9, 8, 7]),
      part('variance', [1, 2, 3]),
    ]);
    const back = build.op('Conv', [build.op('Relu', [normed]), build.initializer('v', noise(2, [2, 3, 1, 1]))]);
    build.output(back, { dtype: 'float32', shape: [1, 2, 3, 3] }, 'y');
    const [scores] = await importanceOf(dependenciesOf(build.build()), 'norm');
    expect([...scores!]).toEqual([3, 0.5, 1]);
  });

  it('asks for data where it needs them', () => {
    expect(() => importanceOf(dependencies, 'taylor')).toThrow('importance "taylor" needs data');
  });
});

describe('the choice of units', () => {
  const scores = [Float64Array.of(4, 1, 3, 2), Float64Array.of(1, 1), Float64Array.of(0.01, 5, 5, 5, 5)];

  it('takes the same share of each layer', () => {
    expect(chooseUnits(dependencies, scores, 0.5, { scope: 'layer' })).toEqual([
      { group: 0, units: [1, 3] },
      { group: 1, units: [0] },
      { group: 2, units: [0, 1] },
    ]);
  });

  it('takes what matters least beside the others of its layer, wherever that is', () => {
    expect(chooseUnits(dependencies, scores, 0.1)).toEqual([{ group: 2, units: [0] }]);
    expect(chooseUnits(dependencies, scores, 0.2)).toEqual([
      { group: 0, units: [1] },
      { group: 2, units: [0] },
    ]);
  });

  it('leaves round numbers, and the least that is to stay', () => {
    const multiple = { scope: 'layer', multiple: 2 } as const;
    expect(chooseUnits(dependencies, scores, 0.3, multiple)).toEqual([{ group: 2, units: [0] }]);
    expect(
      chooseUnits(dependencies, scores, 1, { scope: 'layer', least: 0.5 }).map(({ units }) => units.length),
    ).toEqual([2, 1, 2]);
  });

  it('takes heads one by one, whose columns are round numbers already', () => {
    const labels = ['a', 'b'];
    const transformer = dependenciesOf(
      bert(presetConfig('bert-tiny', { labels, vocabularySize: 20, maximumPositions: 8 })),
    );
    const none = transformer.groups.map(({ units }) => new Float64Array(units.length));
    const chosen = chooseUnits(transformer, none, 0.51, { scope: 'layer', multiple: 8 });
    const counts = chosen.map(({ group, units }) => `${units.length} of ${transformer.groups[group]!.units.length}`);
    // Heads and neurons of two layers, and the pooler.
    expect(counts.sort()).toEqual(['1 of 2', '1 of 2', '256 of 512', '256 of 512', '64 of 128']);
  });

  it('cuts until the cost is what was asked for, and no more', async () => {
    const parametersOf = ({ graph }: Model): number =>
      [...graph.initializers.values()].reduce((sum, { dims }) => sum + sizeOf(dims), 0);
    const all = parametersOf(model);
    const reached = await cutTo(dependencies, scores, 0.7 * all, parametersOf, { scope: 'layer' });
    expect(reached.cost).toBe(parametersOf(reached.model));
    expect(reached.cost).toBeLessThanOrEqual(0.7 * all);
    expect(reached.cost).toBeGreaterThan(0.4 * all);
    const least = await cutTo(dependencies, scores, 1, parametersOf);
    expect(least.cost).toBeGreaterThan(1);
    expect(least.units).toBe(3 + 1 + 4);
  });
});
