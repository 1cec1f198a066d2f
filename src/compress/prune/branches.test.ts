import { describe, expect, it } from 'vitest';
import { numbersOf, random, sizeOf, type Tensor, tensorFrom } from '../../base/index.ts';
import { check, evaluate, GraphBuilder, type Model, type Value } from '../../graph/index.ts';
import { attachLoss, bert, IMAGE_ARCHITECTURES, meanSquaredError, presetConfig } from '../../nn/index.ts';
import { residualBranches, withoutBranch, withoutBranches } from './branches.ts';
import { maskWeights } from './masks.ts';

function noise(seed: number, dims: readonly number[], scale = 1): Tensor {
  const source = random(seed);
  return tensorFrom(
    'float32',
    Array.from({ length: sizeOf(dims) }, () => scale * source.normal()),
    dims,
  );
}

/** x → stem → three branches with a shortcut each → head; the branch in the middle adds next to nothing. */
function residual(): Model {
  const build = new GraphBuilder();
  let x: Value = build.matMul(build.input('x', 'float32', ['rows', 3]), build.initializer('stem', noise(1, [3, 4])));
  for (const [index, scale] of [1, 1e-4, 1].entries()) {
    const inner = build.op('Tanh', [build.matMul(x, build.initializer(`in.${index}`, noise(2 + index, [4, 4])))]);
    const branch = build.matMul(inner, build.initializer(`out.${index}`, noise(5 + index, [4, 4], scale)));
    x = build.op('Add', index === 2 ? [x, branch] : [branch, x], undefined, `joined.${index}`);
  }
  const y = build.matMul(x, build.initializer('head', noise(8, [4, 2])));
  build.output(y, { dtype: 'float32', shape: ['rows', 2] }, 'y');
  return build.build();
}

const X = noise(9, [5, 3]);
const yOf = (model: Model): number[] => numbersOf(evaluate(model, { x: X }).y!);

describe('residual branches', () => {
  const model = residual();

  it('are additions of a value and of what is computed from it', () => {
    expect(residualBranches(model).map(({ name, nodes }) => [name, nodes])).toEqual([
      ['joined.0', 4],
      ['joined.1', 4],
      ['joined.2', 4],
    ]);
  });

  it('are two a layer of a transformer, and one a block of a residual network that keeps its shape', () => {
    const labels = ['a', 'b'];
    const transformer = bert(presetConfig('bert-mini', { labels, vocabularySize: 20, maximumPositions: 8 }));
    expect(residualBranches(transformer).length).toBe(8);
    const network = IMAGE_ARCHITECTURES['resnet-18'].build({ channels: 1, side: 16, classes: 2 });
    expect(residualBranches(network).length).toBe(5);
  });

  it('are led past by their shortcut, and their weights go', () => {
    const branch = residualBranches(model)[1]!;
    const shorter = withoutBranch(model, branch);
    check(shorter);
    expect([...shorter.graph.initializers.keys()]).not.toContain('in.1');
    // A branch that adds next to nothing is not missed.
    const [a, b] = [yOf(shorter), yOf(model)];
    for (const [index, value] of a.entries()) expect(Math.abs(value - b[index]!)).toBeLessThan(1e-2);
    expect(() => withoutBranch(shorter, branch)).toThrow('no branch "joined.1"');
  });

  it('go where the loss misses them least', async () => {
    const labels = tensorFrom('float32', yOf(model), [5, 2]);
    const data = {
      withLoss: (given: Model) => attachLoss(given, meanSquaredError(), { predictions: 'y', labels: 'labels' }),
      batches: [{ x: X, labels }],
      threads: 1,
    };
    const { removed } = await withoutBranches(model, 1, data);
    expect(removed.map(({ name }) => name)).toEqual(['joined.1']);
    await expect(withoutBranches(model, 4, data)).rejects.toThrow('the model has 3 residual branches, expected 4');
  });
});

describe('masks', () => {
  const build = new GraphBuilder();
  const values = [1, -2, 3, -4, 5, 6, -7, 8, 0.5, 9, 10, -11];
  const weight = build.initializer('w', tensorFrom('float32', values, [6, 2]));
  build.output(build.matMul(build.input('x', 'float32', [1, 6]), weight), { dtype: 'float32', shape: [1, 2] }, 'y');
  const model = build.build();
  const masked = (given: Parameters<typeof maskWeights>[1]): number[] => {
    const { model: result } = maskWeights(model, given);
    return numbersOf(
      evaluate(
        { ...result, graph: { ...result.graph, outputs: [{ name: 'y' }] } },
        { x: tensorFrom('float32', [1, 1, 1, 1, 1, 1], [1, 6]) },
      ).y!,
    );
  };

  it('zero the smallest weights', () => {
    expect(maskWeights(model, { share: 0.25 })).toMatchObject({ zeros: 3, weights: 12 });
    // Without 0.5, 1 and −2.
    expect(masked({ share: 0.25 })).toEqual([3 + 5 - 7 + 10, -4 + 6 + 8 + 9 - 11]);
  });

  it('leave so many of each run of neighbours that are summed', () => {
    // Columns 1 3 5 −7 | 0.5 10 and −2 −4 6 8 | 9 −11: the second run is too short to be one.
    expect(masked({ keep: 2, of: 4 })).toEqual([5 - 7 + 0.5 + 10, 6 + 8 + 9 - 11]);
  });

  it('refuse shares that are none', () => {
    expect(() => maskWeights(model, { share: 2 })).toThrow('expected a share from 0 to 1');
    expect(() => maskWeights(model, { keep: 5, of: 4 })).toThrow('0 < keep <= of');
  });
});
