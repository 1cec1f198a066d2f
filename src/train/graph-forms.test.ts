import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { numbersOf, random, type Tensor, tensorFrom } from '../base/index.ts';
import { check, GraphBuilder, type Model, readModel, tensorAttribute } from '../graph/index.ts';
import { bufferUpdates } from '../nn/index.ts';
import { openSession } from '../runtime/index.ts';
import { graphForms } from './graph-forms.ts';

const source = random(7);
const normal = (dims: readonly number[]): Tensor =>
  tensorFrom('float32', Array.from({ length: dims.reduce((a, b) => a * b, 1) }, source.normal), dims);

async function run(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Tensor> {
  const session = await openSession(model, { threads: 1 });
  const outputs = await session.run(feeds);
  await session.close();
  return Object.values(outputs)[0]!;
}

async function expectSame(one: Model, other: Model, feeds: Readonly<Record<string, Tensor>>): Promise<void> {
  const [first, second] = await Promise.all([run(one, feeds), run(other, feeds)]);
  expect(first.dims).toEqual(second.dims);
  for (const [at, value] of numbersOf(first).entries()) expect(value).toBeCloseTo(numbersOf(second)[at]!, 5);
}

/** As old exporters write: weights in Constant nodes and among the inputs, a batch of one, operator set 11. */
function old(): Model {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', [1, 2, 4, 4]);
  const constant = (name: string, value: Tensor): string =>
    build.op('Constant', [], { value: tensorAttribute(value) }, name);
  const convolved = build.op('Conv', [x, constant('conv.weight', normal([3, 2, 3, 3]))]);
  const [normalized] = build.node('BatchNormalization', [
    convolved,
    ...['scale', 'bias', 'mean'].map((name) => constant(`bn.${name}`, normal([3]))),
    constant('bn.variance', tensorFrom('float32', [1, 2, 3])),
  ]);
  const flat = build.reshape(build.op('GlobalAveragePool', [normalized!]), build.int64s([1, 3]));
  const logits = build.gemm(flat, build.initializer('fc.weight', normal([3, 4])));
  build.output(build.softmax(logits), { dtype: 'float32', shape: [1, 4] }, 'y');
  const { graph, ...model } = build.build();
  const inputs = [
    ...graph.inputs,
    { name: 'fc.weight', type: { kind: 'tensor', dtype: 'float32', shape: [3, 4] } as const },
  ];
  return { ...model, irVersion: 3, opsets: [{ domain: '', version: 11 }], graph: { ...graph, inputs } };
}

describe('the forms of a graph', () => {
  it('are trained as they are raised, and written as they came', async () => {
    const given = old();
    const forms = graphForms(given, { classes: 2 });
    for (const model of [forms.model, forms.trainingForm, forms.validationForm!]) check(model);
    expect([forms.output, forms.head, forms.initialized]).toEqual(['y', ['fc.weight'], ['fc.weight']]);
    expect([forms.model.opsets, forms.validationForm!.opsets]).toEqual([
      [{ domain: '', version: 11 }],
      [{ domain: '', version: 17 }],
    ]);
    expect(forms.model.graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(bufferUpdates(forms.trainingForm).map(({ name }) => name)).toEqual(['bn.mean', 'bn.variance']);
    await expectSame(forms.model, forms.validationForm!, { x: normal([3, 2, 4, 4]) });
  });

  it('keep statistics where they are told to, and where scale and bias are frozen', () => {
    const kept = graphForms(old(), { classes: 2, freezeBatchNorm: true });
    expect(kept.trainingForm).toBe(kept.validationForm);
    expect(bufferUpdates(graphForms(old(), { classes: 2, freeze: ['bn.*'] }).trainingForm)).toEqual([]);
    expect(bufferUpdates(graphForms(old(), { classes: 2, freeze: ['bn.bias'] }).trainingForm)).toHaveLength(2);
  });

  it('keep a head of as many classes where they are told to', () => {
    const given = old();
    const forms = graphForms(given, { classes: 4, keepHead: true });
    expect([forms.head, forms.initialized]).toEqual([['fc.weight'], []]);
    expect(forms.model.graph.initializers.get('fc.weight')).toBe(given.graph.initializers.get('fc.weight'));
    expect(forms.model.graph.nodes.map(({ opType }) => opType)).not.toContain('Softmax');
  });

  it('keep the fused operators of ONNX Runtime in what is written', async () => {
    const path = fileURLToPath(new URL('../autodiff/fixtures/optimized-bert.onnx', import.meta.url));
    const given = await readModel(path);
    const forms = graphForms(given, { classes: 5 });
    const fused = (model: Model): number => model.graph.nodes.filter(({ domain }) => domain === 'com.microsoft').length;
    expect([fused(forms.model) > 5, fused(forms.validationForm!)]).toEqual([true, 0]);
    const ids = tensorFrom('int64', [2, 7, 9, 3, 2, 8, 3, 0], [2, 4]);
    const ones = tensorFrom('int64', [1, 1, 1, 1, 1, 1, 1, 0], [2, 4]);
    const zeros = tensorFrom('int64', new Array<number>(8).fill(0), [2, 4]);
    const feeds = Object.fromEntries(
      given.graph.inputs.map(({ name }) => [name, name.includes('mask') ? ones : name.includes('type') ? zeros : ids]),
    );
    await expectSame(forms.model, forms.validationForm!, feeds);
  });

  it('are refused without a word on which output is meant', () => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['batch', 2]);
    for (const name of ['a', 'b'])
      build.output(
        build.matMul(x, build.initializer(`${name}.weight`, normal([2, 2]))),
        { dtype: 'float32', shape: ['batch', 2] },
        name,
      );
    const given = build.build();
    expect(() => graphForms(given, { classes: 3 })).toThrow(/several outputs\n.*a float32\[batch, 2\], b float32/);
    expect(graphForms(given, { classes: 3, head: 'b' }).head).toEqual(['b.weight']);
  });
});
