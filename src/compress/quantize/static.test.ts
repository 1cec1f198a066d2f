import { describe, expect, it } from 'vitest';
import { float64Of, random, sizeOf, type Tensor, tensor } from '../../base/index.ts';
import {
  check,
  encodeModel,
  evaluate,
  float,
  GraphBuilder,
  int,
  ints,
  type Model,
  type Shape,
  type Value,
} from '../../graph/index.ts';
import { fromConfig, IMAGE_ARCHITECTURES, presetConfig } from '../../nn/index.ts';
import { openSession, profileByOperator } from '../../runtime/index.ts';
import { calibrate } from './calibrate.ts';
import { quantizeStatic, type StaticOptions } from './static.ts';

function normal(seed: number, dims: readonly number[], scale = 1): Tensor {
  const draw = random(seed);
  return tensor(
    'float32',
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => scale * draw.normal()),
  );
}

function modelOf(shape: Shape, write: (build: GraphBuilder, x: Value) => Value): Model {
  const build = new GraphBuilder();
  build.output(write(build, build.input('x', 'float32', shape)), { dtype: 'float32' }, 'y');
  return build.build();
}

async function counts(
  model: Model,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Readonly<Record<string, number>>> {
  const operators = await profileByOperator(model, feeds, { threads: 1, runs: 1, warmup: 0 });
  return Object.fromEntries(operators.map(({ opType, count }) => [opType, count]));
}

async function run(model: Model, x: Tensor): Promise<Float64Array> {
  const session = await openSession(model, { threads: 1 });
  const { y } = await session.run({ x });
  await session.close();
  return float64Of(y!);
}

const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const CHANNELS = 4;
const weight = normal(1, [6, CHANNELS, 3, 3], 0.3);
const bias = normal(2, [6], 0.3);
const conv = (build: GraphBuilder, x: Value, name = 'w', of = weight): Value =>
  build.op('Conv', [x, build.initializer(name, of), build.initializer(`${name}_b`, bias)], {
    pads: ints([1, 1, 1, 1]),
  });
const images = [normal(3, [2, CHANNELS, 6, 6]), normal(4, [2, CHANNELS, 6, 6])];
const batches = images.map((x) => ({ x }));

describe('static quantization', () => {
  it.each<StaticOptions>([{}, { perChannel: false }, { weightType: 'uint8' }, { reduceRange: true }])(
    'of a convolution is as far from it as the scales allow: %o',
    async (options) => {
      const model = modelOf(['n', CHANNELS, 6, 6], (build, x) =>
        build.op('GlobalMaxPool', [build.op('Relu', [conv(build, x)])]),
      );
      const { model: integers, quantized } = await quantizeStatic(model, batches, options);
      check(integers);
      expect(quantized).toHaveLength(1);
      for (const x of images) {
        const expected = float64Of(evaluate(model, { x }).y!);
        const given = float64Of(evaluate(integers, { x }).y!);
        const xStep = (2 * largest(images.flatMap(({ data }) => Array.from(data, Number)))) / 255;
        const yStep = largest(expected.map((value) => value * 1.5)) / 255;
        const wLargest = largest(weight.data as Float32Array);
        const wStep = (options.reduceRange ? 2 : 1) * (wLargest / 127);
        for (const [at, value] of expected.entries()) {
          const kernel = float64Of(weight).slice((at % 6) * CHANNELS * 9, ((at % 6) + 1) * CHANNELS * 9);
          // Half a step of each element of x and of each weight, and of what comes out.
          const sum = kernel.reduce((total, element) => total + Math.abs(element), 0);
          const bound =
            (xStep / 2) * sum + (wStep / 2) * kernel.length * (largest(x.data as Float32Array) + xStep) + 2 * yStep;
          expect(Math.abs(given[at]! - value)).toBeLessThanOrEqual(bound);
        }
        // The integers of ONNX Runtime are those of the references, but for a rounding of what comes out.
        if (options.reduceRange) {
          const onRuntime = await run(integers, x);
          for (const [at, value] of given.entries())
            expect(Math.abs(onRuntime[at]! - value)).toBeLessThanOrEqual(1.1 * yStep);
        }
      }
    },
  );

  it('keeps what lies between convolutions in integers', async () => {
    const model = modelOf(['n', CHANNELS, 6, 6], (build, x) => {
      const one = build.op('Relu', [conv(build, x)]);
      const two = build.op('Clip', [conv(build, x, 'v'), build.scalar(0, 'float32'), build.scalar(6, 'float32')]);
      const pooled = build.op('MaxPool', [build.add(one, two)], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
      const halved = build.mul(pooled, build.scalar(0.5, 'float32'));
      const both = build.concat([pooled, halved], 1);
      const last = build.op('Conv', [both, build.initializer('u', normal(5, [3, 12, 1, 1], 0.3))]);
      const flat = build.op('Flatten', [build.op('GlobalAveragePool', [last])]);
      return build.gemm(flat, build.initializer('g', normal(6, [3, 2])), build.initializer('g_b', normal(7, [2])));
    });
    // With 8 bits the sums of two products may be cut off where there is no VNNI.
    const { model: integers } = await quantizeStatic(model, batches, { reduceRange: true });
    check(integers);
    const found = await counts(integers, batches[0]!);
    expect(found).toMatchObject({
      QLinearConv: 3,
      QLinearAdd: 1,
      QLinearConcat: 1,
      QLinearGlobalAveragePool: 1,
      QGemm: 1,
    });
    expect(found).not.toHaveProperty('Conv');
    expect(found).not.toHaveProperty('Mul');
    const expected = await run(model, images[0]!);
    const given = await run(integers, images[0]!);
    const error = largest(given.map((value, at) => value - expected[at]!));
    expect(error).toBeLessThan(0.05 * largest(expected));
    expect(error).toBeGreaterThan(0);
  });

  it('leaves nodes by name, and a convolution whose result is an output', async () => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['n', CHANNELS, 6, 6]);
    const hidden = build.op('Relu', [build.op('Conv', [x, build.initializer('w', weight)], {}, 'first')]);
    build.output(build.op('Conv', [hidden, build.initializer('v', normal(9, [2, 6, 1, 1]))], {}, 'y'), {
      dtype: 'float32',
    });
    const { changed, kept } = await quantizeStatic(build.build(), batches, { except: new Set(['first']) });
    expect(changed).toBe(false);
    expect(kept).toEqual([
      { node: 'first', reason: 'it was named to be left' },
      { node: 'y', reason: 'its result is an output of the model' },
    ]);
  });

  it('keeps a bias that is large beside its weights', async () => {
    const model = modelOf(['n', 8], (build, x) =>
      build.gemm(x, build.initializer('w', normal(5, [8, 3], 1e-9)), build.initializer('b', normal(6, [3]))),
    );
    const x = normal(7, [2, 8]);
    const { model: integers } = await quantizeStatic(model, [{ x }]);
    const given = await run(integers, x);
    for (const [at, value] of float64Of(evaluate(model, { x }).y!).entries()) expect(given[at]).toBeCloseTo(value, 5);
  });

  it('has the scales of a Gemm in its weights and its bias', async () => {
    const x = normal(7, [2, 8]);
    const model = modelOf(['n', 8], (build, input) =>
      build.op('Gemm', [input, build.initializer('w', normal(5, [3, 8])), build.initializer('b', normal(6, [3]))], {
        transB: int(1),
        alpha: float(0.5),
        beta: float(2),
      }),
    );
    const { model: integers } = await quantizeStatic(model, [{ x }], { reduceRange: true });
    expect(await counts(integers, { x })).toMatchObject({ QGemm: 1 });
    const expected = float64Of(evaluate(model, { x }).y!);
    const given = await run(integers, x);
    for (const [at, value] of expected.entries())
      expect(Math.abs(given[at]! - value)).toBeLessThan(0.04 * largest(expected));
  });
});

describe.each(['resnet-8', 'mobilenet-v3-small'] as const)('%s in integers', (name) => {
  const model = IMAGE_ARCHITECTURES[name].build({ channels: 3, side: 32, classes: 4, seed: 1 });
  const pixels = { pixel_values: normal(5, [2, 3, 32, 32]) };

  it('has every convolution and matrix fused, and is written in the same bytes each time', async () => {
    const { model: integers } = await quantizeStatic(model, [pixels]);
    check(integers);
    const convolutions = model.graph.nodes.filter(({ opType }) => opType === 'Conv').length;
    const found = await counts(integers, pixels);
    expect(found.QLinearConv).toBe(convolutions);
    for (const float of ['Conv', 'FusedConv', 'Gemm', 'Add', 'Mul', 'HardSigmoid', 'BatchNormalization', 'Clip'])
      expect(found).not.toHaveProperty(float);
    const again = await quantizeStatic(model, [pixels]);
    expect(Buffer.from(encodeModel(again.model)).equals(encodeModel(integers))).toBe(true);
  });
});

describe('a BERT with static scales', () => {
  it('has its products in integers, and the rest as it was', async () => {
    const model = fromConfig(presetConfig('bert-tiny', { vocabularySize: 500, labels: ['a', 'b'] }), { seed: 3 });
    const ids = (fill: (at: number) => number): Tensor =>
      tensor(
        'int64',
        [2, 9],
        BigInt64Array.from({ length: 18 }, (_, at) => BigInt(fill(at))),
      );
    const feeds = {
      input_ids: ids((at) => (at * 37) % 500),
      attention_mask: ids(() => 1),
      token_type_ids: ids(() => 0),
    };
    const { model: integers } = await quantizeStatic(model, [feeds], { minimumElements: 4096 });
    check(integers);
    const found = await counts(integers, feeds);
    expect(found.QGemm).toBe(13);
    // The tables of words and positions too.
    expect(encodeModel(integers).length).toBeLessThan(encodeModel(model).length / 3.5);
  });
});

describe('calibration', () => {
  const model = modelOf(['n', 3], (build, x) => build.op('Log', [x], {}, 'logarithm'));

  it('refuses to be done without data', async () => {
    await expect(calibrate(model, ['logarithm'], [])).rejects.toThrow('there are no data to calibrate with');
  });

  it('refuses values that are not finite, by name', async () => {
    const bad = { x: tensor('float32', [1, 3], new Float32Array([1, -1, 2])) };
    await expect(calibrate(model, ['logarithm'], [bad])).rejects.toThrow('the value "logarithm" is not a number');
  });

  it('sees inputs and values in between, over all batches, with zero among them', async () => {
    const of = (...values: number[]) => ({ x: tensor('float32', [1, 3], new Float32Array(values)) });
    const ranges = await calibrate(model, ['x', 'logarithm'], [of(1, 2, 3), of(4, 5, 1)]);
    expect(ranges.get('x')).toEqual({ low: 0, high: 5 });
    expect(ranges.get('logarithm')!.high).toBeCloseTo(Math.log(5), 5);
  });
});
