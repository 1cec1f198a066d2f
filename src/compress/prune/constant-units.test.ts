import { describe, expect, it } from 'vitest';
import { numbersOf, random, sizeOf, type Tensor, tensorFrom } from '../../base/index.ts';
import { check, evaluate, GraphBuilder, ints, type Model, type Value } from '../../graph/index.ts';
import { withoutConstantUnits } from './constant-units.ts';

function noise(seed: number, dims: readonly number[]): Tensor {
  const source = random(seed);
  return tensorFrom(
    'float32',
    Array.from({ length: sizeOf(dims) }, () => source.normal()),
    dims,
  );
}

/** Noise, but zeros where `index` of `axis` is one of these. */
function silent(seed: number, dims: readonly number[], axis: number, indices: readonly number[]): Tensor {
  const value = noise(seed, dims);
  const inner = sizeOf(dims.slice(axis + 1));
  const numbers = numbersOf(value).map((number, at) =>
    indices.includes(Math.floor(at / inner) % dims[axis]!) ? 0 : number,
  );
  return tensorFrom('float32', numbers, dims);
}

const dimsOf = (model: Model, name: string): readonly number[] => model.graph.initializers.get(name)!.dims;

async function expectSame(model: Model, x: Tensor, counts: { units: number; zeros: number }): Promise<Model> {
  const batches = [{ x }];
  const { model: smaller, ...found } = await withoutConstantUnits(model, { batches, threads: 1 });
  expect(found).toEqual(counts);
  check(smaller);
  const [actual, expected] = [smaller, model].map((own) => numbersOf(evaluate(own, { x }).y!));
  for (const [index, value] of expected!.entries()) expect(actual![index]).toBeCloseTo(value, 5);
  return smaller;
}

describe('units that give the same for all data', () => {
  // Of five channels the second is −1 before its ReLU, the fourth 2.
  const bias = tensorFrom('float32', [0.1, -1, 0.2, 2, 0.3]);

  function images(kernel: number, pad: number): Model {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', [2, 3, 6, 6]);
    const first = build.op('Conv', [
      x,
      build.initializer('a', silent(1, [5, 3, 1, 1], 0, [1, 3])),
      build.initializer('a.bias', bias),
    ]);
    const second = build.op(
      'Conv',
      [
        build.op('Relu', [first]),
        build.initializer('b', noise(2, [4, 5, kernel, kernel])),
        build.initializer('b.bias', noise(3, [4])),
      ],
      { pads: ints([pad, pad, pad, pad]) },
    );
    build.output(second, { dtype: 'float32', shape: [2, 4, null, null] }, 'y');
    return build.build();
  }

  it('go, and what they gave the next convolution becomes part of its bias', async () => {
    const smaller = await expectSame(images(3, 0), noise(4, [2, 3, 6, 6]), { units: 2, zeros: 1 });
    expect(dimsOf(smaller, 'a')).toEqual([3, 3, 1, 1]);
    expect(dimsOf(smaller, 'b')).toEqual([4, 3, 3, 3]);
  });

  it('stay where a convolution pads and they are not zero', async () => {
    const smaller = await expectSame(images(3, 1), noise(4, [2, 3, 6, 6]), { units: 1, zeros: 1 });
    expect(dimsOf(smaller, 'a')).toEqual([4, 3, 1, 1]);
  });

  function rows(back: (build: GraphBuilder, hidden: Value) => Value): Model {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['rows', 3]);
    const first = build.gemm(
      x,
      build.initializer('a', silent(1, [3, 5], 1, [1, 3])),
      build.initializer('a.bias', bias),
    );
    build.output(back(build, build.op('Relu', [first])), { dtype: 'float32', shape: ['rows', 4] }, 'y');
    return build.build();
  }

  it('go in front of a matrix, with a bias or without one', async () => {
    const b = noise(2, [4, 5]);
    const forms: readonly ((build: GraphBuilder, hidden: Value) => Value)[] = [
      (build, hidden) =>
        build.gemm(hidden, build.initializer('b', b), build.initializer('b.bias', noise(3, [4])), { b: true }),
      (build, hidden) => build.gemm(hidden, build.initializer('b', b), undefined, { b: true }),
      (build, hidden) => build.matMul(hidden, build.initializer('c', noise(2, [5, 4]))),
    ];
    for (const form of forms) {
      const smaller = await expectSame(rows(form), noise(4, [6, 3]), { units: 2, zeros: 1 });
      expect(dimsOf(smaller, 'a')).toEqual([3, 3]);
    }
  });

  it('stay where something else than weights reads them', async () => {
    const model = rows((build, hidden) => {
      const mean = build.reduceMean(hidden, [1], true);
      return build.matMul(build.add(hidden, mean), build.initializer('b', noise(2, [5, 4])));
    });
    await expectSame(model, noise(4, [6, 3]), { units: 0, zeros: 0 });
  });

  it('leave the model as it is where there are none', async () => {
    const build = new GraphBuilder();
    const hidden = build.matMul(build.input('x', 'float32', ['rows', 3]), build.initializer('a', noise(1, [3, 5])));
    build.output(
      build.matMul(hidden, build.initializer('b', noise(2, [5, 4]))),
      { dtype: 'float32', shape: ['rows', 4] },
      'y',
    );
    const model = build.build();
    const result = await withoutConstantUnits(model, { batches: [{ x: noise(4, [6, 3]) }], threads: 1 });
    expect(result.model).toBe(model);
  });
});
