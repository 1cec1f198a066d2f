import { describe, expect, it } from 'vitest';
import { float64Of, numbersOf, random, type Tensor, tensor, tensorFrom } from '../../base/index.ts';
import { check, encodeModel, evaluate, GraphBuilder, int, ints, type Model, tensorOf } from '../../graph/index.ts';
import { attachLoss, meanSquaredError } from '../../nn/index.ts';
import { openSession } from '../../runtime/index.ts';
import { adamW, openStepper, trainability } from '../../train/index.ts';
import { exportQuantized, withFakeQuantization } from './fake-quantization.ts';
import { integerWeights } from './integer-weights.ts';

function normal(seed: number, dims: readonly number[], size = 1): Tensor {
  const draw = random(seed);
  const length = dims.reduce((product, dim) => product * dim, 1);
  return tensor(
    'float32',
    dims,
    Float32Array.from({ length }, () => size * draw.normal()),
  );
}

interface Made {
  readonly floats: Model;
  readonly quantized: Model;
}

/** A convolution, a Relu and a product, in floats and statically quantized with the given steps of activations. */
function network(options: { readonly step: number; readonly reduceRange?: boolean }): Made {
  const weights = {
    convolution: normal(1, [4, 2, 3, 3], 0.3),
    bias: normal(2, [4], 0.1),
    matrix: normal(3, [4 * 36, 5], 0.1),
    offset: normal(4, [5], 0.1),
  };
  const floats = new GraphBuilder();
  const hidden = floats.op(
    'Conv',
    [
      floats.input('x', 'float32', ['n', 2, 6, 6]),
      ...(['convolution', 'bias'] as const).map((name) => floats.initializer(name, weights[name])),
    ],
    { pads: ints([1, 1, 1, 1]) },
  );
  const rows = floats.op('Flatten', [floats.op('Relu', [hidden])]);
  floats.output(
    floats.gemm(rows, floats.initializer('matrix', weights.matrix), floats.initializer('offset', weights.offset)),
    { dtype: 'float32', shape: ['n', 5] },
    'y',
  );

  const b = new GraphBuilder();
  const through = (x: string, scale: number, zero: number): string => {
    const pair = [b.scalar(scale, 'float32'), b.constant(tensorFrom('uint8', zero))];
    return b.op('DequantizeLinear', [b.op('QuantizeLinear', [x, ...pair]), ...pair]);
  };
  const weightOf = (
    name: 'convolution' | 'matrix',
    axis: number,
    x: number,
    bias: Tensor,
    biasName: string,
  ): [string, string] => {
    const value = weights[name];
    const made = integerWeights(value.dims, value.data as Float32Array, {
      axis,
      reduceRange: options.reduceRange ?? false,
    });
    const names = [
      b.initializer(`${name}_quantized`, made.values),
      b.initializer(`${name}_scale`, made.scales),
      b.initializer(`${name}_zero`, made.zeroPoints),
    ];
    const steps = float64Of(made.scales).map((scale) => scale * x);
    const integers = Int32Array.from(float64Of(bias), (element, at) => Math.round(element / steps[at]!));
    return [
      b.op('DequantizeLinear', names, { axis: int(axis) }),
      b.op(
        'DequantizeLinear',
        [
          b.initializer(`${biasName}_quantized`, tensor('int32', bias.dims, integers)),
          b.initializer(`${biasName}_scale`, tensor('float32', bias.dims, Float32Array.from(steps))),
        ],
        { axis: int(0) },
      ),
    ];
  };
  const { step } = options;
  const x = through(b.input('x', 'float32', ['n', 2, 6, 6]), step, 128);
  const convolution = b.op('Conv', [x, ...weightOf('convolution', 0, step, weights.bias, 'bias')], {
    pads: ints([1, 1, 1, 1]),
  });
  const flat = through(b.op('Flatten', [b.op('Relu', [convolution])]), step, 0);
  const y = b.op('Gemm', [flat, ...weightOf('matrix', 1, step, weights.offset, 'offset')]);
  b.output(y, { dtype: 'float32', shape: ['n', 5] }, 'y');
  return { floats: floats.build(), quantized: b.build() };
}

const batch = (seed: number, count = 3): Tensor => normal(seed, [count, 2, 6, 6]);

/** With every float parameter moved by a share of itself. */
function moved(model: Model): Model {
  const names = new Set(trainability(model).flatMap(({ name, trained }) => (trained ? [name] : [])));
  const initializers = new Map(model.graph.initializers);
  let seed = 50;
  for (const name of names) {
    const value = tensorOf(initializers.get(name)!);
    const noise = float64Of(normal(seed++, value.dims));
    const data = Float32Array.from(
      float64Of(value),
      (element, at) => element * (1 + 0.05 * noise[at]!) + 0.01 * noise[at]!,
    );
    initializers.set(name, {
      ...initializers.get(name)!,
      content: { kind: 'bytes', bytes: new Uint8Array(data.buffer) },
    });
  }
  return { ...model, graph: { ...model.graph, initializers } };
}

describe.each([false, true])('fake quantization, with weights of 7 bits: %s', (reduceRange) => {
  const { quantized } = network({ step: 4 / 127, reduceRange });
  const fake = withFakeQuantization(quantized);

  it('begins as the model of integers, but for the rounding of float32', () => {
    check(fake);
    const x = batch(9);
    const expected = numbersOf(evaluate(quantized, { x }).y!);
    for (const [at, value] of numbersOf(evaluate(fake, { x }).y!).entries())
      expect(value).toBeCloseTo(expected[at]!, 5);
  });

  it('has weights, biases and the logarithms of steps as parameters', () => {
    const trained = trainability(fake).flatMap(({ name, trained: is }) => (is ? [name] : []));
    expect(trained).toEqual([
      'x.log_step',
      'convolution',
      'convolution.log_step',
      'bias',
      'flatten.log_step',
      'matrix',
      'matrix.log_step',
      'offset',
    ]);
  });

  it('gives a model of integers that computes the same, wherever training has led', async () => {
    const changed = moved(fake);
    const exported = exportQuantized(changed);
    check(exported);
    const types = Array.from(exported.graph.initializers.values(), ({ dtype, dims }) => `${dtype}${dims.length}`);
    expect(types.filter((type) => type === 'int84' || type === 'int82')).toHaveLength(2);
    expect(types.filter((type) => type === 'int321')).toHaveLength(2);
    expect(exported.graph.nodes.map(({ opType }) => opType)).not.toContain('Exp');
    expect(encodeModel(exported).length).toBeLessThan(encodeModel(changed).length / 1.7);
    const x = batch(10, 20);
    const [expected, given] = [changed, exported].map((model) => float64Of(evaluate(model, { x }).y!));
    const range = expected!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const errors = expected!.map((value, at) => Math.abs(value - given![at]!)).sort();
    // Biases are off by half a step of products: now and then that moves an activation by a step of its own.
    expect(errors[errors.length >> 1]).toBeLessThan(5e-4 * range);
    expect(errors.at(-1)).toBeLessThan(2e-2 * range);
    if (reduceRange) {
      const session = await openSession(exported, { threads: 1 });
      const { y } = await session.run({ x });
      await session.close();
      for (const [at, value] of float64Of(y!).entries())
        expect(Math.abs(value - given![at]!)).toBeLessThan(2e-2 * range);
    }
  });
});

const STEPS = 200;

describe('training with fake quantization', () => {
  it('takes back most of what steps that are too long lost', async () => {
    const { floats, quantized } = network({ step: 0.5, reduceRange: true });
    const weights = (name: string): Tensor | undefined => {
      const value = floats.graph.initializers.get(name);
      return value && tensorOf(value);
    };
    const fake = withFakeQuantization(quantized, { weights });
    const lossOf = (model: Model, x: Tensor): number => {
      const wanted = float64Of(evaluate(floats, { x }).y!);
      const given = float64Of(evaluate(model, { x }).y!);
      return given.reduce((sum, value, at) => sum + (value - wanted[at]!) ** 2, 0) / given.length;
    };
    const trainable = trainability(fake).flatMap(({ name, trained }) => (trained ? [name] : []));
    const loss = attachLoss(fake, meanSquaredError(), { predictions: 'y', labels: 'labels' });
    const stepper = await openStepper(loss, {
      optimizer: adamW({ weightDecay: 0 }),
      trainable,
      accumulation: 1,
      session: { threads: 1 },
    });
    for (let step = 1; step <= STEPS; step++) {
      const x = batch(1000 + step, 16);
      await stepper.step([{ x, labels: evaluate(floats, { x }).y! }], step, 0.02 * (1 - step / STEPS));
    }
    const parameters = stepper.parameters();
    const initializers = new Map(fake.graph.initializers);
    for (const [name, value] of parameters)
      initializers.set(name, {
        ...initializers.get(name)!,
        content: { kind: 'bytes', bytes: new Uint8Array(Float32Array.from(float64Of(value)).buffer) },
      });
    await stepper.close();
    const exported = exportQuantized({ ...fake, graph: { ...fake.graph, initializers } });
    const x = batch(7, 64);
    expect(lossOf(exported, x)).toBeLessThan(0.3 * lossOf(quantized, x));
  });

  it('is refused for a model without quantization', () => {
    expect(() => withFakeQuantization(network({ step: 1 }).floats)).toThrow('the model has no QuantizeLinear');
  });
});
