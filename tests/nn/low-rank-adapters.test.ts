import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { numbersOf, random, type Tensor, tensorFrom } from '../../src/base/index.ts';
import { check, GraphBuilder, type Model, readModel, stored, tensorOf } from '../../src/graph/index.ts';
import {
  type Adapter,
  adaptableWeights,
  fromConfig,
  mergeAdapters,
  presetConfig,
  withAdapters,
} from '../../src/nn/index.ts';
import { openSession } from '../../src/runtime/index.ts';

const source = random(4);
const normal = (dims: readonly number[], deviation = 1): Tensor =>
  tensorFrom(
    'float32',
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => deviation * source.normal()),
    dims,
  );

const ids = (rows: readonly (readonly number[])[]): Tensor =>
  tensorFrom('int64', rows.flat(), [rows.length, rows[0]!.length]);
const FEEDS = {
  input_ids: ids([
    [2, 7, 9, 30, 3],
    [2, 8, 3, 0, 0],
  ]),
  attention_mask: ids([
    [1, 1, 1, 1, 1],
    [1, 1, 1, 0, 0],
  ]),
  token_type_ids: ids([
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
  ]),
};

async function run(model: Model): Promise<number[]> {
  const session = await openSession(model, { threads: 1 });
  const outputs = await session.run(
    Object.fromEntries(Object.entries(FEEDS).filter(([name]) => session.inputs.has(name))),
  );
  await session.close();
  return numbersOf(Object.values(outputs)[0]!);
}

const exported = fileURLToPath(new URL('../fixtures/exported-text/features.onnx', import.meta.url));
const MODELS: Readonly<Record<string, Model>> = {
  'MatMul, by an exporter': await readModel(exported),
  'Gemm with transB and alpha, by Lathe': fromConfig(
    presetConfig('bert-tiny', {
      vocabularySize: 40,
      labels: ['a', 'b'],
      architecture: 'BertForSequenceClassification',
      problemType: null,
      dropout: 0,
      maximumPositions: 16,
    }),
    { seed: 3 },
  ),
};

describe.each(Object.entries(MODELS))('adapters beside %s', (_, model) => {
  const weights = adaptableWeights(model);
  const { model: adapted, adapters } = withAdapters(model, { rank: 1, weights, seed: 5 });

  it('change nothing at first', async () => {
    check(adapted);
    expect(adapters.length).toBeGreaterThan(10);
    const before = await run(model);
    for (const [at, value] of (await run(adapted)).entries()) expect(value).toBeCloseTo(before[at]!, 6);
  });

  it('give the same merged as apart', async () => {
    const values = new Map(
      adapters.flatMap(({ a, b }) =>
        [a, b].map((name) => [name, normal(adapted.graph.initializers.get(name)!.dims, 1 / 8)] as const),
      ),
    );
    const initializers = new Map(adapted.graph.initializers);
    for (const [name, value] of values) initializers.set(name, stored(value));
    const apart = await run({ ...adapted, graph: { ...adapted.graph, initializers } });
    const merged = mergeAdapters(model, adapters, values);
    check(merged);
    expect(merged.graph.nodes).toBe(model.graph.nodes);
    const [together, before] = [await run(merged), await run(model)];
    const largest = Math.max(...apart.map(Math.abs));
    for (const [at, value] of together.entries()) expect(Math.abs(value - apart[at]!)).toBeLessThan(1e-5 * largest);
    expect(Math.max(...together.map((value, at) => Math.abs(value - before[at]!)))).toBeGreaterThan(0.01);
  });
});

describe('adapters', () => {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', ['batch', 4]);
  const weight = build.initializer('weight', normal([4, 4]));
  const table = build.initializer('tied', normal([4, 4]));
  const captured = build.initializer('captured', normal([4, 4]));
  const inside = new GraphBuilder();
  inside.output(inside.op('Neg', [captured], {}, 'negative'));
  const branch = { kind: 'graph', value: inside.build().graph } as const;
  const condition = build.constant(tensorFrom('bool', [1], []));
  const [negative] = build.node('If', [condition], { attributes: { then_branch: branch, else_branch: branch } });
  const sum = build.add(build.matMul(x, captured), negative!);
  const y = build.matMul(build.matMul(x, weight), build.add(build.matMul(sum, table), table));
  build.output(y, { dtype: 'float32', shape: ['batch', 4] }, 'y');
  const model = build.build();

  it('are for weights that nothing else reads', () => {
    expect(adaptableWeights(model)).toEqual(['weight']);
    expect(() => withAdapters(model, { rank: 1, weights: ['tied'] })).toThrow(
      /"tied" is no weight of MatMul or Gemm alone/,
    );
    expect(() => withAdapters(model, { rank: 4, weights: ['weight'] })).toThrow(
      /rank 4 is no less than that of "weight"/,
    );
    expect(() => withAdapters(model, { rank: 0, weights: [] })).toThrow(/a rank of 1 or more/);
  });

  it('are refused where they do not fit', () => {
    const { adapters } = withAdapters(model, { rank: 2, weights: ['weight'], alpha: 3 });
    expect(adapters).toEqual<Adapter[]>([
      { weight: 'weight', a: 'weight.lora_A', b: 'weight.lora_B', scale: 1.5, transposed: false },
    ]);
    const values = new Map([['weight.lora_A', normal([4, 2])]]);
    expect(() => mergeAdapters(model, adapters, values)).toThrow(/there is no "weight.lora_B"/);
    values.set('weight.lora_B', normal([2, 3]));
    expect(() => mergeAdapters(model, adapters, values)).toThrow(/A \[4, 2\] · B \[2, 3\] does not fit/);
    expect(tensorOf(model.graph.initializers.get('weight')!).dims).toEqual([4, 4]);
  });
});
