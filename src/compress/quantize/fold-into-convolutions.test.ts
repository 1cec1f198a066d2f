import { describe, expect, it } from 'vitest';
import { float64Of, random, sizeOf, type Tensor, tensor } from '../../base/index.ts';
import { check, evaluate, float, GraphBuilder, int, type Model, type Value } from '../../graph/index.ts';
import { foldIntoConvolutions } from './fold-into-convolutions.ts';
import { writePiecewise } from './piecewise-activations.ts';

function normal(seed: number, dims: readonly number[], shift = 0): Tensor {
  const draw = random(seed);
  return tensor(
    'float32',
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => Math.abs(shift) + draw.normal() * 0.5),
  );
}

function modelOf(write: (build: GraphBuilder, x: Value) => Value): Model {
  const build = new GraphBuilder();
  const y = write(build, build.input('x', 'float32', ['n', 4, 5, 5]));
  build.output(y, { dtype: 'float32' }, 'y');
  return build.build();
}

const conv = (build: GraphBuilder, x: Value, groups = 1, biased = false): Value =>
  build.op(
    'Conv',
    [
      x,
      build.initializer('w', normal(1, [6, 4 / groups, 3, 3])),
      biased ? build.initializer('b', normal(2, [6])) : undefined,
    ],
    { group: int(groups) },
  );
const batchNorm = (build: GraphBuilder, x: Value): Value =>
  build.op('BatchNormalization', [x, ...[3, 4, 5, 6].map((seed) => build.constant(normal(seed, [6], 1.5), 'n'))], {
    epsilon: float(0.01),
  });
const shift = (build: GraphBuilder, x: Value, dims: readonly number[] = [1, 6, 1, 1]): Value =>
  build.add(build.initializer('s', normal(7, dims)), x);

function expectSame(model: Model, changed: Model): void {
  const x = normal(9, [2, 4, 5, 5]);
  const [expected, given] = [model, changed].map((each) => float64Of(evaluate(each, { x }).y!));
  for (const [at, value] of expected!.entries()) expect(given![at]).toBeCloseTo(value, 5);
}

const FOLDED: Readonly<Record<string, (build: GraphBuilder, x: Value) => Value>> = {
  'a batch normalization': (build, x) => batchNorm(build, conv(build, x)),
  'a batch normalization behind groups and a bias': (build, x) => batchNorm(build, conv(build, x, 2, true)),
  'a constant for each channel': (build, x) => shift(build, conv(build, x)),
  'both, one after the other': (build, x) => shift(build, batchNorm(build, conv(build, x, 1, true)), [6, 1, 1]),
};

describe('what stands behind a convolution', () => {
  it.each(Object.entries(FOLDED))('goes into it: %s', (_, write) => {
    const model = modelOf((build, x) => build.op('Relu', [write(build, x)]));
    const { model: folded, changed } = foldIntoConvolutions(model);
    expect(changed).toBe(true);
    check(folded);
    expect(folded.graph.nodes.map(({ opType }) => opType)).toEqual(['Conv', 'Relu', 'Identity']);
    expectSame(model, folded);
  });

  it.each<[string, (build: GraphBuilder, x: Value) => Value]>([
    [
      'something else reads what lies between',
      (build, x) => {
        const y = conv(build, x);
        return build.mul(batchNorm(build, y), y);
      },
    ],
    ['the constant is none of channels', (build, x) => shift(build, conv(build, x), [1, 6, 3, 3])],
    ['there is no convolution', (build, x) => shift(build, build.op('Relu', [x]), [1])],
  ])('stays where %s', (_, write) => {
    const model = modelOf(write);
    expect(foldIntoConvolutions(model)).toEqual({ model, changed: false });
  });
});

describe('activations in pieces', () => {
  it.each<[string, Readonly<Record<string, ReturnType<typeof float>>>]>([
    ['HardSwish', {}],
    ['HardSigmoid', {}],
    ['HardSigmoid', { alpha: float(1 / 6), beta: float(0.4) }],
  ])('are the same function: %s', (opType, attributes) => {
    const model = modelOf((build, x) => build.op(opType, [build.mul(x, build.scalar(8, 'float32'))], attributes));
    const { model: written, changed } = writePiecewise(model);
    expect(changed).toBe(true);
    check(written);
    expect(written.graph.nodes.some((node) => node.opType === opType)).toBe(false);
    expectSame(model, written);
  });
});
