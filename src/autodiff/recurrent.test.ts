import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { numbersOf, type Tensor, tensorFrom } from '../base/index.ts';
import { evaluate, GraphBuilder, int, string, unrollRecurrentOperators } from '../graph/index.ts';
import { gradient } from './index.ts';

interface Numbers {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

type Name = 'x' | 'w' | 'r' | 'b';
type Case = Readonly<Record<Name | 'seed' | 'y', Numbers>> & { readonly gradients: Readonly<Record<Name, Numbers>> };

/** PyTorch's layers in both directions: fixtures/recurrent.py. */
const CASES = JSON.parse(readFileSync(new URL('fixtures/recurrent.json', import.meta.url), 'utf8')) as Readonly<
  Record<'LSTM' | 'GRU', Case>
>;

const doubles = ({ dims, values }: Numbers): Tensor => tensorFrom('float64', values, dims);

function expectClose(actual: Tensor, expected: Numbers): void {
  expect(actual.dims).toEqual(expected.dims);
  const largest = Math.max(...expected.values.map(Math.abs));
  for (const [index, value] of numbersOf(actual).entries()) {
    expect(Math.abs(value - expected.values[index]!)).toBeLessThanOrEqual(1e-9 * largest);
  }
}

describe('recurrent operators have the gradients of PyTorch', () => {
  it.each(['LSTM', 'GRU'] as const)('%s', (opType) => {
    const given = CASES[opType];
    const build = new GraphBuilder();
    const inputs = (['x', 'w', 'r', 'b'] as const).map((name) => build.input(name, 'float64', given[name].dims));
    const seed = build.input('seed', 'float64', given.seed.dims);
    const attributes = {
      hidden_size: int(given.r.dims[2]!),
      direction: string('bidirectional'),
      ...(opType === 'GRU' && { linear_before_reset: int(1) }),
    };
    const [y] = build.node(opType, inputs, { attributes, outputs: ['y'] });
    build.output(y!, { dtype: 'float64' });
    const unrolled = unrollRecurrentOperators(build.build()).model;
    const rest = new GraphBuilder({ extending: unrolled.graph });
    rest.op('ReduceSum', [rest.mul(y!, seed)], { keepdims: int(0) }, 'loss');
    const graph = {
      ...unrolled.graph,
      nodes: [...unrolled.graph.nodes, ...rest.nodes],
      outputs: [...unrolled.graph.outputs, { name: 'loss' }],
    };
    const model = gradient({ ...unrolled, graph }, { of: 'loss', withRespectTo: ['x', 'w', 'r', 'b'] });
    const feeds = Object.fromEntries(
      (['x', 'w', 'r', 'b', 'seed'] as const).map((name) => [name, doubles(given[name])]),
    );
    const result = evaluate(model, feeds);
    expectClose(result.y!, given.y);
    for (const name of ['x', 'w', 'r', 'b'] as const) expectClose(result[`${name}_grad`]!, given.gradients[name]);
  });
});
