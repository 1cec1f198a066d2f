import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LatheError, type Tensor, tensor, tensorFrom } from '../base/index.ts';
import { check, GraphBuilder, type Model, tensorOf } from '../graph/index.ts';
import { attachLoss, crossEntropy, linearModel, meanSquaredError } from '../nn/index.ts';
import { openSession } from '../runtime/index.ts';
import type { Optimizer } from './optimizers/optimizer.ts';
import { type OptimizerSettings, optimizerOf } from './settings.ts';
import { openStepper } from './stepper.ts';
import { gradientGraph, type TrainingGraph, trainingGraph } from './training-graph.ts';

interface Fixture {
  readonly x: readonly number[][];
  readonly y: readonly number[][];
  readonly weight: readonly number[];
  readonly bias: readonly number[];
  readonly learningRates: readonly number[];
  readonly cases: readonly {
    readonly settings: OptimizerSettings;
    readonly clipNorm: number;
    readonly steps: readonly { loss: number; gradientNorm: number; weight: number[]; bias: number[] }[];
  }[];
}
const fixture = JSON.parse(readFileSync(new URL('fixtures/optimizers.json', import.meta.url), 'utf8')) as Fixture;

function regression(): Model {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['batch', 3]);
  const weight = b.initializer('linear.weight', tensorFrom('float32', fixture.weight, [3, 2]));
  const bias = b.initializer('linear.bias', tensorFrom('float32', fixture.bias, [2]));
  b.output(b.add(b.matMul(x, weight), bias), { dtype: 'float32', shape: ['batch', 2] }, 'predictions');
  return attachLoss(b.build(), meanSquaredError(), { predictions: 'predictions', labels: 'labels' });
}

const trainable = ['linear.weight', 'linear.bias'];
const session = { threads: 1 };
const batchOf = (step: number): Record<string, Tensor> => ({
  x: tensorFrom('float32', fixture.x[step]!, [4, 3]),
  labels: tensorFrom('float32', fixture.y[step]!, [4, 2]),
});

function expectClose(actual: Tensor | undefined, expected: readonly number[]): void {
  const values = Array.from(actual!.data as Float32Array);
  const largest = Math.max(...expected.map(Math.abs));
  // float32 against PyTorch in float64, over six steps.
  values.forEach((value, index) => {
    expect(Math.abs(value - expected[index]!)).toBeLessThan(2e-6 * Math.max(1, largest));
  });
}

describe('optimizers, in a stepper, against PyTorch', () => {
  it.each(fixture.cases.map((row) => [JSON.stringify(row.settings), row] as const))('%s', async (_name, row) => {
    const stepper = await openStepper(regression(), {
      optimizer: optimizerOf(row.settings),
      trainable,
      accumulation: 1,
      session,
      ...(row.clipNorm > 0 && { clipNorm: row.clipNorm }),
    });
    for (const [index, expected] of row.steps.entries()) {
      const { loss, gradientNorm } = await stepper.step([batchOf(index)], index + 1, fixture.learningRates[index]!);
      expect(loss).toBeCloseTo(expected.loss, 5);
      if (row.clipNorm > 0) expect(gradientNorm).toBeCloseTo(expected.gradientNorm, 5);
      expectClose(stepper.parameters().get('linear.weight'), expected.weight);
      expectClose(stepper.parameters().get('linear.bias'), expected.bias);
    }
    await stepper.close();
  });
});

describe('gradient accumulation', () => {
  it('gives the step of the whole batch, whatever the sizes of its parts', async () => {
    const part = (name: 'x' | 'y', rows: readonly [number, number], width: number) =>
      tensorFrom('float32', fixture[name][0]!.slice(rows[0] * width, rows[1] * width), [rows[1] - rows[0], width]);
    const options = { optimizer: optimizerOf({ name: 'adamW' }), trainable, session, clipNorm: 0.5 };
    const whole = await openStepper(regression(), { ...options, accumulation: 1 });
    const parts = await openStepper(regression(), { ...options, accumulation: 2 });
    const expected = await whole.step([batchOf(0)], 1, 0.1);
    const actual = await parts.step(
      [[0, 3] as const, [3, 4] as const].map((rows) => ({ x: part('x', rows, 3), labels: part('y', rows, 2) })),
      1,
      0.1,
    );
    expect(actual.loss).toBeCloseTo(expected.loss, 6);
    expect(actual.gradientNorm).toBeCloseTo(expected.gradientNorm, 5);
    for (const name of trainable) {
      expectClose(parts.parameters().get(name), Array.from(whole.parameters().get(name)!.data as Float32Array));
    }
    await whole.close();
    await parts.close();
  });
});

describe('the training graph', () => {
  const options = { optimizer: optimizerOf({ name: 'adamW' }), clipNorm: 1 };

  it('is a valid model of standard operators, with parameters and state as inputs and frozen weights as constants', () => {
    const { model, parameters } = trainingGraph(regression(), { ...options, trainable: ['linear.weight'] });
    check(model);
    const inputs = model.graph.inputs.map(({ name }) => name);
    expect(inputs).toEqual([
      'x',
      'labels',
      'step_size',
      'scaled_epsilon',
      'keep',
      'linear.weight',
      'optimizer/linear.weight/first_moment',
      'optimizer/linear.weight/second_moment',
    ]);
    expect(model.graph.initializers.has('linear.bias')).toBe(true);
    expect(model.graph.initializers.has('linear.weight')).toBe(false);
    expect(model.graph.nodes.every(({ domain }) => domain === '')).toBe(true);
    expect(parameters[0]!.next).toBe('linear.weight_next');
  });

  it('has a form without the update, weighted or not', () => {
    const outputs = [false, true].map((weighted) => {
      const { model } = gradientGraph(regression(), { ...options, trainable, weighted });
      check(model);
      expect(model.graph.inputs.map(({ name }) => name)).toEqual(['x', 'labels', ...trainable]);
      return model.graph.outputs.map(({ name }) => name);
    });
    const gradients = ['linear.weight_grad', 'linear.bias_grad'];
    expect(outputs).toEqual([
      ['loss', ...gradients],
      ['loss', 'loss_weight', ...gradients],
    ]);
  });

  /** Six steps of the whole graph in ONNX Runtime, with parameters and state carried over by hand. */
  async function runWhole(graph: TrainingGraph, optimizer: Optimizer): Promise<Map<string, Tensor>> {
    const whole = await openSession(graph.model, session);
    const initial = regression().graph.initializers;
    const now = new Map<string, Tensor>();
    for (const { name, dims, state } of graph.parameters) {
      now.set(name, tensorOf(initial.get(name)!));
      const size = dims.reduce((a, b) => a * b, 1);
      for (const { input } of state) now.set(input, tensor('float32', dims, new Float32Array(size)));
    }
    for (const [index, learningRate] of fixture.learningRates.entries()) {
      const scalars = Object.entries(optimizer.scalarValues(index + 1, learningRate));
      const results = await whole.run({
        ...batchOf(index),
        ...Object.fromEntries(now),
        ...Object.fromEntries(scalars.map(([name, value]) => [name, tensorFrom('float32', value)])),
      });
      for (const { name, next, state } of graph.parameters) {
        now.set(name, results[next]!);
        for (const item of state) now.set(item.input, results[item.next]!);
      }
    }
    await whole.close();
    return now;
  }

  it.each(fixture.cases.map(({ settings, clipNorm }) => [JSON.stringify(settings), settings, clipNorm] as const))(
    'gives what a stepper gives: %s',
    async (_name, settings, clipNorm) => {
      const optimizer = optimizerOf(settings);
      const wanted = { optimizer, trainable, ...(clipNorm > 0 && { clipNorm }) };
      const expected = await runWhole(trainingGraph(regression(), wanted), optimizer);
      const stepper = await openStepper(regression(), { ...wanted, accumulation: 1, session });
      for (const [index, learningRate] of fixture.learningRates.entries())
        await stepper.step([batchOf(index)], index + 1, learningRate);
      expect([...stepper.tensors().keys()]).toEqual([...expected.keys()]);
      for (const [name, { data }] of stepper.tensors()) {
        // To the last bit, but for clipping: there the graph adds up the squares of the norm in float32.
        if (clipNorm === 0) expect(data).toEqual(expected.get(name)!.data);
        else expectClose({ ...expected.get(name)!, data }, Array.from(expected.get(name)!.data as Float32Array));
      }
      await stepper.close();
    },
  );

  it.each([
    ['an unknown name', ['nothing'], /no initializer "nothing"/],
    ['integers', ['ids'], /expected float32, got int64/],
  ])('refuses to train %s', (_name, names, message) => {
    const model = regression();
    const initializers = new Map(model.graph.initializers);
    initializers.set('ids', { dtype: 'int64', dims: [1], content: { kind: 'bytes', bytes: new Uint8Array(8) } });
    expect(() =>
      trainingGraph({ ...model, graph: { ...model.graph, initializers } }, { ...options, trainable: names }),
    ).toThrow(message);
  });
});

describe('a stepper', () => {
  const linear = attachLoss(linearModel({ vocabularySize: 5, labels: 2 }), crossEntropy(), {
    predictions: 'logits',
    labels: 'labels',
  });
  const batch = (weights: readonly number[]): Record<string, Tensor> => ({
    feature_ids: tensorFrom('int64', [0, 1, 2, 3], [2, 2]),
    feature_weights: tensorFrom('float32', weights, [2, 2]),
    labels: tensorFrom('int64', [0, 1]),
  });
  const open = (accumulation = 1) =>
    openStepper(linear, {
      optimizer: optimizerOf({ name: 'adamW' }),
      trainable: ['linear.weight', 'linear.bias'],
      accumulation,
      session,
    });
  const copyOf = (tensors: ReadonlyMap<string, Tensor>) =>
    new Map(Array.from(tensors, ([name, value]) => [name, { ...value, data: (value.data as Float32Array).slice() }]));

  it.each([
    ['a loss', 1, [Number.NaN, 1]],
    // Weights are still zero, so that the loss is finite; the gradient's square is beyond float32.
    ['a gradient', 1, [1e25, 1]],
    ['one part of a gradient', 2, [1e25, 1]],
  ])('does not take a step of which %s is not finite', async (what, accumulation, [large, small]) => {
    const stepper = await open(accumulation);
    const before = copyOf(stepper.tensors());
    const bad = batch([0, large!, large!, 0]);
    const batches = [batch([small!, 2, 3, 4]), bad].slice(-accumulation);
    const { loss, gradientNorm } = await stepper.step(batches, 1, 0.1);
    expect(Number.isFinite(loss)).toBe(what !== 'a loss');
    expect(Number.isFinite(gradientNorm)).toBe(false);
    for (const [name, { data }] of stepper.tensors()) expect(data).toEqual(before.get(name)!.data);
    await stepper.close();
  });

  it('goes on from saved tensors with the same bits', async () => {
    const first = await open();
    const second = await open();
    await first.step([batch([1, 2, 3, 4])], 1, 0.1);
    const saved = copyOf(first.tensors());
    await first.step([batch([4, 3, 2, 1])], 2, 0.1);
    second.restore(saved);
    await second.step([batch([4, 3, 2, 1])], 2, 0.1);
    for (const [name, value] of first.tensors()) expect(second.tensors().get(name)!.data).toEqual(value.data);
    await first.close();
    await second.close();
  });

  it('refuses a checkpoint that does not fit', async () => {
    const stepper = await open();
    expect(() => stepper.restore(new Map())).toThrow(LatheError);
    const wrong = new Map(stepper.tensors());
    wrong.set('linear.bias', tensor('float32', [3], new Float32Array(3)));
    expect(() => stepper.restore(wrong)).toThrow(/"linear.bias" should be float32 \[2\], it is float32 \[3\]/);
    await stepper.close();
  });
});
