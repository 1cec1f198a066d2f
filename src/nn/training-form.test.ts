import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { numbersOf, random, type Tensor, tensorFrom } from '../base/index.ts';
import { check, encodeModel, evaluate, float, GraphBuilder, type Model } from '../graph/index.ts';
import { bufferUpdates, dropoutMasks, maskSource, trainingForm } from './index.ts';

function model(opset = 17): Model {
  const build = new GraphBuilder({ opset });
  const x = build.input('x', 'float32', ['batch', 2, 3]);
  const parameters = ['scale', 'bias', 'mean', 'variance'].map((name, index) =>
    build.initializer(`bn.${name}`, tensorFrom('float32', [1 + index, 2 + index])),
  );
  const [y] = build.node('BatchNormalization', [x, ...parameters], {
    attributes: { momentum: float(0.75) },
    name: 'bn',
    outputs: ['y'],
  });
  build.output(y!, { dtype: 'float32', shape: ['batch', 2, 3] });
  return build.build();
}

const source = random(3);
const FEEDS: Readonly<Record<string, Tensor>> = {
  x: tensorFrom('float32', Array.from({ length: 12 }, source.normal), [2, 2, 3]),
};

describe('the training form of a model with batch normalization', () => {
  it('normalizes by the batch and moves the running statistics', async () => {
    const trained = trainingForm(model());
    check(trained);
    expect(bufferUpdates(trained)).toEqual([
      { name: 'bn.mean', next: 'bn.mean_next' },
      { name: 'bn.variance', next: 'bn.variance_next' },
    ]);
    const expected = evaluate(trained, FEEDS);
    const channel = numbersOf(FEEDS.x!).filter((_, at) => Math.floor(at / 3) % 2 === 0);
    const mean = channel.reduce((sum, value) => sum + value, 0) / channel.length;
    expect(numbersOf(expected['bn.mean_next']!)[0]).toBeCloseTo(0.75 * 3 + 0.25 * mean, 6);
    const session = await InferenceSession.create(encodeModel(trained), { logSeverityLevel: 3 });
    const { dims, data } = FEEDS.x!;
    const results = await session.run({ x: new RuntimeTensor('float32', data as Float32Array, dims) });
    await session.release();
    for (const [name, value] of Object.entries(expected)) {
      const actual = Array.from(results[name]!.data as Float32Array);
      numbersOf(value).forEach((number, at) => {
        expect(actual[at], name).toBeCloseTo(number, 5);
      });
    }
  });

  it('leaves frozen nodes, and models without any, as they are', () => {
    const given = model();
    expect(trainingForm(given, { frozen: ({ name }) => name === 'bn' })).toBe(given);
    const trained = trainingForm(given);
    expect(trainingForm(trained)).toBe(trained);
  });

  it('needs an operator set that has a training mode', () => {
    expect(() => trainingForm(model(13))).toThrow('BatchNormalization "bn": operator set 13 has no training mode');
  });
});

describe('the training form of a model with dropout', () => {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', ['p2o.Dynamic.0', 3]);
  const doubled = build.concat([x, x], 1);
  const [kept] = build.node('Dropout', [doubled, build.scalar(0.25, 'float32')], { name: 'drop' });
  const [other] = build.node('Dropout', [kept!, build.scalar(0, 'float32')]);
  build.output(other!, { dtype: 'float32', shape: ['p2o.Dynamic.0', 6] }, 'y');
  const given = build.build();

  it('takes masks', async () => {
    const trained = trainingForm(given);
    check(trained);
    expect(dropoutMasks(trained)).toEqual([{ name: 'drop.mask', shape: ['p2o.Dynamic.0', 6], probability: 0.25 }]);
    expect(trained.graph.nodes.map(({ opType }) => opType)).toEqual(['Concat', 'Mul', 'Dropout', 'Identity']);
    const masks = maskSource(dropoutMasks(trained), { seed: 1 })(1, { 'p2o.Dynamic.0': 40 });
    const ones = tensorFrom('float32', new Array<number>(120).fill(1), [40, 3]);
    const { y } = evaluate(trained, { x: ones, ...Object.fromEntries(masks) });
    expect(new Set(numbersOf(y!))).toEqual(new Set([0, Math.fround(4 / 3)]));
  });
});
