import { describe, expect, it } from 'vitest';
import { numbersOf, type Tensor, tensorFrom } from '../base/index.ts';
import { evaluate, GraphBuilder, type Model, type Value } from '../graph/index.ts';
import { gradient } from './index.ts';

type Writing = (build: GraphBuilder, x: Value) => Value;

const scalar = (build: GraphBuilder, value: number): Value => build.scalar(value, 'float64');
const onePlusErf: Writing = (build, x) =>
  build.add(build.op('Erf', [build.div(x, scalar(build, Math.SQRT2))]), scalar(build, 1));

/** x (1 + erf(x/√2))/2 as exporters write it. */
const WRITINGS: Readonly<Record<string, Writing>> = {
  '(x p) ½': (build, x) => build.mul(build.mul(x, onePlusErf(build, x)), scalar(build, 0.5)),
  'x (p ½)': (build, x) => build.mul(x, build.mul(onePlusErf(build, x), scalar(build, 0.5))),
  '(x ½) p': (build, x) => build.mul(build.mul(x, scalar(build, 0.5)), onePlusErf(build, x)),
  'erf of a product': (build, x) => {
    const erf = build.op('Erf', [build.mul(x, scalar(build, Math.SQRT1_2))]);
    return build.mul(scalar(build, 0.5), build.mul(build.add(scalar(build, 1), erf), x));
  },
};

const LIKE: Readonly<Record<string, Writing>> = {
  'another factor': (build, x) => build.mul(build.mul(x, onePlusErf(build, x)), scalar(build, 0.25)),
  'another value as x': (build, x) => build.mul(build.mul(build.neg(x), onePlusErf(build, x)), scalar(build, 0.5)),
  'a part used elsewhere': (build, x) => {
    const p = onePlusErf(build, x);
    return build.add(build.mul(build.mul(x, p), scalar(build, 0.5)), p);
  },
};

function modelOf(write: Writing): Model {
  const build = new GraphBuilder();
  const y = write(build, build.input('x', 'float64', ['n']));
  build.output(build.op('ReduceSum', [y], { keepdims: { kind: 'int', value: 0 } }, 'loss'));
  return build.build();
}

const x: Tensor = tensorFrom('float64', [-3, -1, -0.2, 0, 0.5, 2]);
const erfCount = (model: Model): number => model.graph.nodes.filter(({ opType }) => opType === 'Erf').length;
const slopes = (write: Writing): ReturnType<typeof evaluate> =>
  evaluate(gradient(modelOf(write), { of: 'loss', withRespectTo: ['x'] }), { x });

/** Central differences of the forward graph. */
function differences(write: Writing): number[] {
  const model = modelOf(write);
  const lossAt = (index: number, offset: number): number => {
    const moved = numbersOf(x).map((value, other) => (other === index ? value + offset : value));
    return numbersOf(evaluate(model, { x: tensorFrom('float64', moved) }).loss!)[0]!;
  };
  return numbersOf(x).map((_, index) => (lossAt(index, 1e-5) - lossAt(index, -1e-5)) / 2e-5);
}

describe('a Gelu written out in five nodes', () => {
  it.each(Object.entries(WRITINGS))('%s is differentiated as one operator', (_, write) => {
    const model = gradient(modelOf(write), { of: 'loss', withRespectTo: ['x'] });
    expect(erfCount(model)).toBe(2); // the forward one, and one computed again from x
    const forward = new Set(modelOf(write).graph.nodes.flatMap(({ outputs }) => outputs));
    const reused = model.graph.nodes
      .filter(({ opType, outputs }) => opType !== 'Shape' && !forward.has(outputs[0]!))
      .flatMap(({ inputs }) => inputs.filter((name) => forward.has(name)));
    expect(reused.filter((name) => name !== 'loss' && name !== 'x')).toEqual([]);
    const expected = differences(write);
    for (const [index, slope] of numbersOf(slopes(write).x_grad!).entries()) {
      expect(Math.abs(slope - expected[index]!)).toBeLessThan(1e-9);
    }
  });

  it.each(Object.entries(LIKE))('%s is not one', (_, write) => {
    expect(erfCount(gradient(modelOf(write), { of: 'loss', withRespectTo: ['x'] }))).toBe(1);
    const expected = differences(write);
    for (const [index, slope] of numbersOf(slopes(write).x_grad!).entries()) {
      expect(Math.abs(slope - expected[index]!)).toBeLessThan(1e-9);
    }
  });

  it('keeps its parts apart where one of them is asked for', () => {
    const build = new GraphBuilder();
    const at = build.input('x', 'float64', ['n']);
    const y = WRITINGS['(x p) ½']!(build, at);
    build.output(build.op('ReduceSum', [y], { keepdims: { kind: 'int', value: 0 } }, 'loss'));
    const model = build.build();
    const erf = model.graph.nodes.find(({ opType }) => opType === 'Erf')!.outputs[0]!;
    const result = evaluate(gradient(model, { of: 'loss', withRespectTo: [erf] }), { x });
    expect(numbersOf(result[`${erf}_grad`]!)).toEqual(numbersOf(x).map((value) => value / 2));
  });
});

/** x (1 + tanh(√(2/π) (x + 0.044715 x³)))/2, as transformers' gelu_new comes out of exporters. */
const cubes: Readonly<Record<string, Writing>> = {
  'Pow by 3': (build, x) => build.op('Pow', [x, scalar(build, 3)]),
  'two products': (build, x) => build.mul(build.mul(x, x), x),
  'a square by Pow': (build, x) => build.mul(x, build.op('Pow', [x, scalar(build, 2)])),
};

const tanhOf = (build: GraphBuilder, x: Value, cube: Writing, factor = 0.044715): Value => {
  const inner = build.add(x, build.mul(scalar(build, factor), cube(build, x)));
  return build.add(scalar(build, 1), build.op('Tanh', [build.mul(inner, scalar(build, Math.sqrt(2 / Math.PI)))]));
};

function expectSlopes(write: Writing): void {
  const expected = differences(write);
  for (const [index, slope] of numbersOf(slopes(write).x_grad!).entries()) {
    expect(Math.abs(slope - expected[index]!)).toBeLessThan(1e-9);
  }
}

const tanhCount = (write: Writing): number =>
  gradient(modelOf(write), { of: 'loss', withRespectTo: ['x'] }).graph.nodes.filter(({ opType }) => opType === 'Tanh')
    .length;

describe('a Gelu by tanh written out', () => {
  it.each(Object.entries(cubes))('with %s is differentiated as one operator', (_, cube) => {
    const write: Writing = (build, x) => build.mul(build.mul(scalar(build, 0.5), x), tanhOf(build, x, cube));
    expect(tanhCount(write)).toBe(2); // the forward one, and one computed again from x
    expectSlopes(write);
  });

  it('with another factor is not one', () => {
    const write: Writing = (build, x) =>
      build.mul(build.mul(scalar(build, 0.5), x), tanhOf(build, x, cubes['Pow by 3']!, 0.05));
    expect(tanhCount(write)).toBe(1);
    expectSlopes(write);
  });
});
