import { describe, expect, it } from 'vitest';
import { LatheError, numbersOf, random, sizeOf, type Tensor, tensorFrom } from '../../base/index.ts';
import { check, evaluate, GraphBuilder, int, intOf, type Model, tensorOf } from '../../graph/index.ts';
import { cut } from './cut.ts';
import { type Dependencies, dependenciesOf } from './dependencies.ts';

/** Numbers that tell where in their tensor they stood. */
function counted(dims: readonly number[], scale = 1): Tensor {
  return tensorFrom(
    'float32',
    Array.from({ length: sizeOf(dims) }, (_, index) => (index + 1) * scale),
    dims,
  );
}

function noise(seed: number, dims: readonly number[]): Tensor {
  const source = random(seed);
  return tensorFrom(
    'float32',
    Array.from({ length: sizeOf(dims) }, () => source.normal()),
    dims,
  );
}

/** x [2, 4] → hidden [2, `width`] → y [2, 3]; `between` is what happens to the hidden values. */
function network(width: number, between: (build: GraphBuilder, hidden: string) => string, back = width): Model {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', [2, 4]);
  const hidden = build.matMul(x, build.initializer('first', noise(1, [4, width])));
  const y = build.matMul(between(build, hidden), build.initializer('second', noise(2, [back, 3])));
  build.output(y, { dtype: 'float32', shape: [2, 3] }, 'y');
  return build.build();
}

const X = noise(3, [2, 4]);
const dimsOf = (model: Model): Record<string, readonly number[]> =>
  Object.fromEntries([...model.graph.initializers].map(([name, { dims }]) => [name, dims]));
const groupsOf = ({ groups }: Dependencies) => groups.map(({ name, units }) => [name, units.length]);

/** What the model gives once the slices of these units are zeros. */
function silent(dependencies: Dependencies, group: number, units: readonly number[]): number[] {
  const { model, groups } = dependencies;
  const initializers = new Map(model.graph.initializers);
  for (const { tensor, axis, indices } of units.flatMap((unit) => groups[group]!.units[unit]!.slices)) {
    const value = tensorOf(initializers.get(tensor)!);
    const inner = sizeOf(value.dims.slice(axis + 1));
    const data = Float32Array.from(value.data as Float32Array, (element, at) =>
      indices.includes(Math.floor(at / inner) % value.dims[axis]!) ? 0 : element,
    );
    initializers.set(tensor, {
      dtype: 'float32',
      dims: value.dims,
      content: { kind: 'bytes', bytes: new Uint8Array(data.buffer) },
    });
  }
  return numbersOf(evaluate({ ...model, graph: { ...model.graph, initializers } }, { x: X }).y!);
}

function expectSame(dependencies: Dependencies, group: number, units: readonly number[]): Model {
  const smaller = cut(dependencies, [{ group, units }]);
  check(smaller);
  const actual = numbersOf(evaluate(smaller, { x: X }).y!);
  const expected = silent(dependencies, group, units);
  for (const [index, value] of expected.entries()) expect(actual[index]).toBeCloseTo(value, 6);
  return smaller;
}

describe('cut', () => {
  it('copies the bytes of what stays, and leaves the model it was given as it was', () => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['rows', 2]);
    const hidden = build.op('Relu', [
      build.gemm(x, build.initializer('a', counted([2, 3])), build.initializer('b', counted([3]))),
    ]);
    build.output(
      build.matMul(hidden, build.initializer('c', counted([3, 1], 0.1))),
      { dtype: 'float32', shape: ['rows', 1] },
      'y',
    );
    const dependencies = dependenciesOf(build.build());
    expect(groupsOf(dependencies)).toEqual([['a[1]', 3]]);
    const smaller = cut(dependencies, [{ group: 0, units: [1] }]);
    const values = Object.fromEntries(
      [...smaller.graph.initializers].map(([name, value]) => [name, numbersOf(tensorOf(value))]),
    );
    expect(values).toEqual({ a: [1, 3, 4, 6], b: [1, 3], c: [Math.fround(0.1), Math.fround(0.1 * 3)] });
    expect(dimsOf(dependencies.model)).toEqual({ a: [2, 3], b: [3], c: [3, 1] });
  });

  it('keeps whole heads, and writes the shapes that say how many', () => {
    const dependencies = dependenciesOf(
      network(12, (build, hidden) => {
        const rows = build.gather(build.shape('x'), build.int64s([0]));
        const heads = build.reshape(hidden, build.concat([rows, build.int64s([4, 3])], 0)); // [2, 4, 3]
        const swapped = build.transpose(heads, [1, 0, 2]);
        return build.reshape(build.transpose(swapped, [1, 0, 2]), build.int64s([-1, 12]));
      }),
    );
    expect(groupsOf(dependencies)).toEqual([['first[1]', 4]]);
    const smaller = expectSame(dependencies, 0, [1, 2]);
    expect(dimsOf(smaller)).toMatchObject({ first: [4, 6], second: [6, 3] });
  });

  it('follows parts: of a Split, a Slice, and what is put together again', () => {
    const dependencies = dependenciesOf(
      network(8, (build, hidden) => {
        const [a, b] = build.split(hidden, [5, 3], 1);
        return build.concat(
          [build.slice(a!, [0], [3], [1]), build.slice(a!, [-2], [2 ** 40], [1]), build.op('Relu', [b!])],
          1,
        );
      }),
    );
    expect(groupsOf(dependencies)).toEqual([['first[1]', 8]]);
    const smaller = expectSame(dependencies, 0, [0, 4, 6, 7]);
    expect(dimsOf(smaller)).toMatchObject({ first: [4, 4], second: [4, 3] });
  });

  it('ties channels of groups: alone where a group is a channel, one of each group where it is several', () => {
    const convolved = (groups: number, weight: readonly number[]) =>
      dependenciesOf(
        network(
          6,
          (build, hidden) => {
            const image = build.unsqueeze(hidden, [2, 3]);
            const kernel = build.initializer('kernel', noise(4, weight));
            const result = build.op('Conv', [image, kernel], { group: int(groups) });
            return build.op('Flatten', [result]);
          },
          weight[0],
        ),
      );
    const depthwise = convolved(6, [12, 1, 1, 1]);
    expect(groupsOf(depthwise)).toEqual([['first[1]', 6]]);
    const smaller = expectSame(depthwise, 0, [0, 5]);
    expect(dimsOf(smaller)).toMatchObject({ first: [4, 4], kernel: [8, 1, 1, 1], second: [8, 3] });
    expect(intOf(smaller.graph.nodes.find(({ opType }) => opType === 'Conv')!, 'group')).toBe(4);

    const grouped = convolved(2, [4, 3, 1, 1]);
    expect(groupsOf(grouped)).toEqual([
      ['first[1]', 3],
      ['kernel[0]', 2],
    ]);
    expect(dimsOf(expectSame(grouped, 0, [1]))).toMatchObject({ first: [4, 4], kernel: [4, 2, 1, 1], second: [4, 3] });
    expect(dimsOf(expectSame(grouped, 1, [0]))).toMatchObject({ first: [4, 6], kernel: [2, 3, 1, 1], second: [2, 3] });
  });

  it('gives layers that share a vector of zeros one each', () => {
    const build = new GraphBuilder();
    let x = build.input('x', 'float32', ['rows', 2]);
    const zero = build.initializer('zero', tensorFrom('float32', [0, 0, 0]));
    for (const name of ['a', 'b']) {
      const hidden = build.add(build.matMul(x, build.initializer(`${name}.in`, noise(1, [2, 3]))), zero);
      x = build.matMul(hidden, build.initializer(`${name}.out`, noise(1, [3, 2])));
    }
    build.output(x, { dtype: 'float32', shape: ['rows', 2] }, 'y');
    expect(dependenciesOf(build.build()).groups.length).toBe(3);
  });

  it('stops at operators that it does not know, and names them', () => {
    const dependencies = dependenciesOf(
      network(6, (build, hidden) => build.node('Fancy', [hidden], { domain: 'example.org' })[0]!),
    );
    expect(dependencies.groups).toEqual([]);
    expect([...dependencies.unknownOperators]).toEqual([['example.org.Fancy', 1]]);
  });

  it('says why a weight stays as it is', () => {
    const { pinned } = dependenciesOf(network(6, (build, hidden) => build.op('Softmax', [hidden])));
    expect(pinned).toEqual([
      { tensor: 'first', why: ['"x" is an input of the model', 'Softmax (of "softmax") keeps its length'] },
      { tensor: 'second', why: ['Softmax (of "softmax") keeps its length', '"y" is an output of the model'] },
    ]);
  });

  it('refuses to cut a group as a whole, and units that there are not', () => {
    const dependencies = dependenciesOf(network(3, (build, hidden) => build.op('Relu', [hidden])));
    const message = (units: readonly number[], group = 0): string => {
      try {
        cut(dependencies, [{ group, units }]);
        return '';
      } catch (error) {
        return error instanceof LatheError ? error.message : '';
      }
    };
    expect(message([0, 1, 2])).toContain('group "first[1]" would lose all of its 3 units');
    expect(message([3])).toBe('group "first[1]" has no unit 3: there are 3');
    expect(message([0], 1)).toBe('no group 1: there are 1');
  });
});
