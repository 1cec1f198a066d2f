import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { numbersOf, random, type Tensor, tensorFrom } from '../base/index.ts';
import { type TensorDataset, tensorDataset } from '../data/index.ts';
import { check, GraphBuilder, type Model, tensorInfo } from '../graph/index.ts';
import { asBufferUpdate, attachLoss, bufferUpdates, meanSquaredError } from '../nn/index.ts';
import { readCheckpoint } from './checkpoint.ts';
import { runLoop } from './loop.ts';
import { DEFAULT_SETTINGS, optimizerOf, type TrainSettings } from './settings.ts';
import { openStepper } from './stepper.ts';
import { gradientGraph, trainingGraph } from './training-graph.ts';

const MOMENTUM = 0.75;

/**
 * (x − mean) · weight. The training form subtracts the mean of the batch and gives the next running mean, the inference
 * form subtracts the running mean: what batch normalization does, without its variance.
 */
function centred(form: 'training' | 'inference'): Model {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['batch', 2]);
  const running = b.initializer('centre.mean', tensorFrom('float32', [10, -10]));
  const weight = b.initializer('linear.weight', tensorFrom('float32', [1, 2], [2, 1]));
  let mean = running;
  let next: string | undefined;
  if (form === 'training') {
    mean = b.reduceMean(x, [0], false);
    const keep = b.mul(running, b.scalar(MOMENTUM, 'float32'));
    next = b.add(keep, b.mul(mean, b.scalar(1 - MOMENTUM, 'float32')));
  }
  b.output(b.matMul(b.sub(x, mean), weight), { dtype: 'float32', shape: ['batch', 1] }, 'predictions');
  const model = b.build();
  const outputs = [...model.graph.outputs];
  if (next !== undefined)
    outputs.push(asBufferUpdate(tensorInfo(next, { dtype: 'float32', shape: [2] }), 'centre.mean'));
  return attachLoss({ ...model, graph: { ...model.graph, outputs } }, meanSquaredError(), {
    predictions: 'predictions',
    labels: 'labels',
  });
}

const options = { optimizer: optimizerOf({ name: 'adamW' }), trainable: ['linear.weight'], clipNorm: 1 };
const batch = (values: readonly number[]): Record<string, Tensor> => ({
  x: tensorFrom('float32', values, [values.length / 2, 2]),
  labels: tensorFrom('float32', new Array<number>(values.length / 2).fill(1), [values.length / 2, 1]),
});
const open = (accumulation: number) =>
  openStepper(centred('training'), { ...options, accumulation, session: { threads: 1 } });

describe('buffers of a training form', () => {
  it('are inputs and outputs of its training graphs', () => {
    const graph = trainingGraph(centred('training'), options);
    check(graph.model);
    expect(graph.buffers).toEqual([{ name: 'centre.mean', dims: [2], next: 'add' }]);
    expect(graph.model.graph.inputs.map(({ name }) => name)).toContain('centre.mean');
    expect(graph.model.graph.initializers.has('centre.mean')).toBe(false);
    const gradients = gradientGraph(centred('training'), options);
    check(gradients.model);
    expect(gradients.buffers).toEqual(graph.buffers);
    expect(gradients.model.graph.inputs.map(({ name }) => name)).toEqual([
      'x',
      'labels',
      'centre.mean',
      'linear.weight',
    ]);
    expect(gradients.model.graph.outputs.map(({ name }) => name)).toEqual(['loss', 'linear.weight_grad', 'add']);
  });

  it('go from step to step, beside the parameters', async () => {
    const stepper = await open(1);
    await stepper.step([batch([1, 2, 3, 4])], 1, 0.1);
    await stepper.step([batch([5, 6, 7, 8])], 2, 0.1);
    // Means of the batches: [2, 3] and [6, 7].
    const expected = [10, -10].map((start, axis) => {
      const first = MOMENTUM * start + (1 - MOMENTUM) * (2 + axis);
      return MOMENTUM * first + (1 - MOMENTUM) * (6 + axis);
    });
    expect(numbersOf(stepper.parameters().get('centre.mean')!)).toEqual(expected);
    expect([...stepper.tensors().keys()]).toContain('centre.mean');
    expect([...stepper.parameters().keys()]).toEqual(['linear.weight', 'centre.mean']);
    await stepper.close();
  });

  it('see every micro-batch of an accumulated step', async () => {
    const whole = await open(1);
    const parts = await open(2);
    const batches = [batch([1, 2, 3, 4]), batch([5, 6, 7, 8])];
    await parts.step(batches, 1, 0.1);
    await whole.step([batches[0]!], 1, 0.1);
    await whole.step([batches[1]!], 2, 0.1);
    expect(parts.parameters().get('centre.mean')!.data).toEqual(whole.parameters().get('centre.mean')!.data);
    await whole.close();
    await parts.close();
  });

  it.each([1, 2])('stay as they were where a step of %i batches is not finite', async (accumulation) => {
    const stepper = await open(accumulation);
    const batches = [batch([1, 2, 3, 4]), batch([Number.NaN, 2, 3, 4])].slice(-accumulation);
    const { loss } = await stepper.step(batches, 1, 0.1);
    expect(loss).toBeNaN();
    expect(numbersOf(stepper.parameters().get('centre.mean')!)).toEqual([10, -10]);
    await stepper.close();
  });

  it('come back from a checkpoint with the same bits', async () => {
    const first = await open(1);
    const second = await open(1);
    await first.step([batch([1, 2, 3, 4])], 1, 0.1);
    second.restore(new Map(Array.from(first.tensors(), ([name, value]) => [name, { ...value }])));
    await first.step([batch([0.1, 0.2, 0.3, 0.7])], 2, 0.1);
    await second.step([batch([0.1, 0.2, 0.3, 0.7])], 2, 0.1);
    for (const [name, value] of first.tensors()) expect(second.tensors().get(name)!.data).toEqual(value.data);
    const { 'centre.mean': _left, ...others } = Object.fromEntries(first.tensors());
    expect(() => second.restore(new Map(Object.entries(others)))).toThrow(/"centre.mean" should be float32 \[2\]/);
    await first.close();
    await second.close();
  });

  it('are refused where they make no sense', () => {
    const model = centred('training');
    expect(() => trainingGraph(model, { ...options, trainable: ['centre.mean'] })).toThrow(
      /"centre.mean" cannot be trained: the output "add" gives its next value/,
    );
    const withOutput = (of: string, times: number): Model => ({
      ...model,
      graph: {
        ...model.graph,
        outputs: Array.from({ length: times }, (_, index) =>
          asBufferUpdate(tensorInfo(`o${index}`, { dtype: 'float32', shape: [2] }), of),
        ),
      },
    });
    expect(() => bufferUpdates(withOutput('nothing', 1))).toThrow(/none of that name/);
    expect(() => bufferUpdates(withOutput('centre.mean', 2))).toThrow(/two outputs update "centre.mean"/);
  });
});

describe('a run with buffers', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lathe-buffers-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function rows(count: number, seed: number): TensorDataset {
    const generator = random(seed);
    const x = Float32Array.from({ length: count * 2 }, () => 3 + generator.normal());
    const labels = Float32Array.from({ length: count }, (_, row) => x[row * 2]! - x[row * 2 + 1]!);
    return tensorDataset({
      x: { kind: 'fixed', values: x, dims: [2], dtype: 'float32' },
      labels: { kind: 'fixed', values: labels, dims: [1], dtype: 'float32' },
    });
  }

  async function run(name: string, settings: Partial<TrainSettings>, stop?: { after: number }, resume = false) {
    let asked = 0;
    await runLoop(
      {
        training: centred('training'),
        inference: centred('inference'),
        trainable: ['linear.weight'],
        train: rows(96, 1),
        validation: rows(32, 2),
        labels: 'labels',
        predictions: 'predictions',
        objective: { kind: 'regression' },
        settings: { ...DEFAULT_SETTINGS, epochs: 4, batchSize: 8, learningRate: 0.3, patience: 0, ...settings },
        folder: join(folder, name),
        fingerprint: 'test',
        resume,
      },
      { emit: () => {}, shouldStop: () => ++asked >= (stop?.after ?? Number.POSITIVE_INFINITY) },
    );
    const log = await readFile(join(folder, name, 'metrics.jsonl'), 'utf8');
    const at = async (file: string) => (await readCheckpoint(join(folder, name, 'checkpoints', file)))!.tensors;
    return { log, last: await at('last.safetensors'), best: await at('best.safetensors') };
  }

  it.each([1, 2])(
    'validates with them, keeps them, and resumes to the same bits (accumulation %i)',
    async (accumulation) => {
      const whole = await run('whole', { accumulation });
      // The running mean has come from [10, −10] to where the data are; without it the error would be in the hundreds.
      const mse = whole.log
        .split('\n')
        .filter((line) => line.includes('validation'))
        .map((line) => (JSON.parse(line) as { mse: number }).mse);
      expect(mse.at(-1)).toBeLessThan(1.5);
      expect(numbersOf(whole.best.get('centre.mean')!)[0]).toBeCloseTo(3, 0);

      await run('stopped', { accumulation }, { after: 15 });
      const resumed = await run('stopped', { accumulation }, undefined, true);
      expect(resumed.log).toBe(whole.log);
      for (const file of ['last', 'best'] as const) {
        expect([...resumed[file].keys()]).toEqual([...whole[file].keys()]);
        for (const [name, value] of whole[file]) expect(resumed[file].get(name)!.data).toEqual(value.data);
      }
    },
  );
});
