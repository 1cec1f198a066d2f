import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { random, sizeOf, type Tensor, tensorFrom } from '../../base/index.ts';
import { float, int, string } from '../attributes.ts';
import { type Attributes, GraphBuilder } from '../builder.ts';
import { check } from '../check.ts';
import { encodeModel } from '../encoding.ts';
import type { Model } from '../ir.ts';
import { unrollRecurrentOperators } from './unroll-recurrent-operators.ts';

const GATES = { RNN: 1, GRU: 3, LSTM: 4 } as const;
const [STEPS, BATCH, WIDTH, HIDDEN] = [5, 2, 3, 4];

interface Use {
  readonly direction?: string;
  readonly bias?: boolean;
  readonly states?: boolean;
  readonly peepholes?: boolean;
  /** How long each sequence of the batch is. */
  readonly lengths?: readonly number[];
  readonly attributes?: Attributes;
  readonly steps?: number | string;
}

const USES: readonly Use[] = [
  {},
  { bias: true },
  { direction: 'reverse', bias: true },
  { direction: 'bidirectional', bias: true, states: true },
  { lengths: [5, 3] },
  { direction: 'bidirectional', bias: true, states: true, lengths: [2, 4] },
];

type Feeds = Readonly<Record<string, Tensor>>;

function modelOf(opType: keyof typeof GATES, use: Use): { readonly model: Model; readonly feeds: Feeds } {
  const build = new GraphBuilder();
  const source = random(8);
  const drawn = (dims: readonly number[]): Tensor =>
    tensorFrom(
      'float32',
      Array.from({ length: sizeOf(dims) }, () => source.normal()),
      dims,
    );
  const ways = use.direction === 'bidirectional' ? 2 : 1;
  const rows = GATES[opType] * HIDDEN;
  const weight = (name: string, dims: readonly number[], there = true): string | undefined =>
    there ? build.initializer(name, drawn(dims)) : undefined;
  const x = drawn([STEPS, BATCH, WIDTH]);
  const lstm = opType === 'LSTM';
  const inputs = [
    build.input('x', 'float32', [use.steps ?? STEPS, BATCH, WIDTH]),
    weight('w', [ways, rows, WIDTH]),
    weight('r', [ways, rows, HIDDEN]),
    weight('b', [ways, 2 * rows], use.bias === true),
    use.lengths && build.initializer('lengths', tensorFrom('int32', use.lengths)),
    weight('h', [ways, BATCH, HIDDEN], use.states === true),
    weight('c', [ways, BATCH, HIDDEN], lstm && use.states === true),
    weight('p', [ways, 3 * HIDDEN], use.peepholes === true),
  ];
  const outputs = build.node(opType, inputs, {
    attributes: {
      hidden_size: int(HIDDEN),
      ...(use.direction && { direction: string(use.direction) }),
      ...use.attributes,
    },
    outputs: ['y', 'last', ...(lstm ? ['cell'] : [])],
  });
  for (const output of outputs) build.output(output, { dtype: 'float32' });
  return { model: build.build(), feeds: { x } };
}

async function run(model: Model, feeds: Feeds): Promise<Record<string, { dims: readonly number[]; values: number[] }>> {
  const session = await InferenceSession.create(encodeModel(model), { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const given = Object.entries(feeds).map(([name, { dims, data }]) => [
    name,
    new RuntimeTensor('float32', data as Float32Array, dims),
  ]);
  const results = await session.run(Object.fromEntries(given));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { dims, data }]) => [name, { dims, values: Array.from(data as Float32Array) }]),
  );
}

const CASES = [
  ...(['RNN', 'GRU', 'LSTM'] as const).flatMap((opType) => USES.map((use) => ({ opType, use }))),
  { opType: 'GRU', use: { bias: true, attributes: { linear_before_reset: int(1) } } },
  { opType: 'LSTM', use: { bias: true, states: true, peepholes: true } },
] as const;

describe('recurrent operators step by step give what ONNX Runtime gives', () => {
  it.each(CASES.map(({ opType, use }, index) => [`${index} ${opType}`, opType, use] as const))(
    '%s',
    async (_, opType, use) => {
      const { model, feeds } = modelOf(opType, use);
      const { model: written } = unrollRecurrentOperators(model);
      check(written);
      expect(written.graph.nodes.some((node) => node.opType in GATES)).toBe(false);
      const [expected, results] = [await run(model, feeds), await run(written, feeds)];
      expect(Object.keys(results)).toEqual(Object.keys(expected));
      for (const [name, { dims, values }] of Object.entries(expected)) {
        expect(results[name]!.dims).toEqual(dims);
        for (const [index, value] of values.entries()) {
          expect(Math.abs(results[name]!.values[index]! - value)).toBeLessThan(5e-6);
        }
      }
    },
  );
});

it.each<[string, Use, RegExp]>([
  ['lengths that are not known', { steps: 'time' }, /a sequence of unknown length/],
  ['long sequences', { steps: 257 }, /257 steps, expected 1 to 256/],
  ['clipping', { attributes: { clip: float(1) } }, /clip/],
  ['another layout', { attributes: { layout: int(1) } }, /layout 1/],
])('refuses %s, and names the node', (_, use, reason) => {
  const { model } = modelOf('LSTM', use);
  expect(() => unrollRecurrentOperators(model)).toThrow(reason);
  expect(() => unrollRecurrentOperators(model)).toThrow('LSTM (of "y")');
});
