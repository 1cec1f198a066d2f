import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradient } from '../src/autodiff/index.ts';
import { decodeSafetensors, numbersOf, sizeOf, type Tensor, tensorFrom } from '../src/base/index.ts';
import { check, decodeModel, evaluate, GraphBuilder, type Model, opsetOf, tensorInfo } from '../src/graph/index.ts';
import { bufferUpdates, trainingForm } from '../src/nn/index.ts';
import { openSession } from '../src/runtime/index.ts';
import { inFloat64 } from './in-float64.ts';

// Networks as PyTorch exports them for inference, and what one step of training them is in PyTorch: see
// fixtures/networks/exported.py. Batches are large enough (32 to 256 elements in the smallest statistic) for the gradients to
// be well conditioned: PyTorch's own in float32 are within 3e-5 of those in float64. Of a batch of 4 whose last layers
// normalize over 4 elements they are 1e-3 off, and no implementation could be told from a wrong one. Where a normalization
// follows another, biases have gradients of zero: the floors are for those.

interface Network {
  readonly name: string;
  readonly parameters: number;
  readonly statistics: number;
  readonly batch: () => Tensor;
  readonly labels: Tensor;
}

const NETWORKS: readonly Network[] = [
  { name: 'resnet18', parameters: 62, statistics: 40, batch: () => images(16, 3, 64, 64), labels: labels([16], 5) },
  {
    name: 'mobilenet-v3-small',
    parameters: 142,
    statistics: 68,
    batch: () => images(16, 3, 64, 64),
    labels: labels([16], 5),
  },
  { name: 'crnn', parameters: 19, statistics: 6, batch: () => images(8, 1, 32, 48), labels: labels([8, 13], 11) },
  {
    name: 'transformer-encoder',
    parameters: 38,
    statistics: 0,
    batch: () => uniform(1, [6, 9, 32]),
    labels: labels([6], 5),
  },
];

/** Numbers of [-1, 1) with 24 bits, by the generator of Numerical Recipes. */
function uniform(seed: number, dims: readonly number[]): Tensor {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) * 2 ** -23 - 1;
  };
  return tensorFrom('float64', Array.from({ length: sizeOf(dims) }, next), dims);
}

/** Large squares and noise: images that differ by more than noise, as real ones do. */
function images(count: number, channels: number, height: number, width: number): Tensor {
  const dims = [count, channels, height, width];
  const [rows, columns] = [height / 8, width / 8];
  const squares = numbersOf(uniform(1, [count, channels, rows, columns]));
  const values = numbersOf(uniform(2, dims)).map((noise, index) => {
    const [row, column] = [Math.floor(index / width) % height, index % width];
    const plane = Math.floor(index / (height * width));
    return squares[(plane * rows + (row >> 3)) * columns + (column >> 3)]! + noise / 4;
  });
  return tensorFrom('float64', values, dims);
}

function labels(dims: readonly number[], classes: number): Tensor {
  const values = Array.from({ length: sizeOf(dims) }, (_, index) => (index * 7) % classes);
  return tensorFrom('int64', values, dims);
}

function withLoss(model: Model, labelDims: readonly number[]): Model {
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: model.graph });
  build.op('SoftmaxCrossEntropyLoss', ['logits', 'labels'], undefined, 'loss');
  const { graph } = model;
  const inputs = [...graph.inputs, tensorInfo('labels', { dtype: 'int64', shape: labelDims })];
  const outputs = [...graph.outputs, tensorInfo('loss', { dtype: 'float32', shape: [] })];
  return { ...model, graph: { ...graph, nodes: [...graph.nodes, ...build.nodes], inputs, outputs } };
}

function narrowed(value: Tensor): Tensor {
  return value.dtype === 'float64' ? tensorFrom('float32', numbersOf(value), value.dims) : value;
}

function read({ name, labels: { dims } }: Network) {
  const fixture = (ending: string): Uint8Array =>
    readFileSync(new URL(`./fixtures/networks/${name}.${ending}`, import.meta.url));
  const { tensors } = decodeSafetensors(fixture('safetensors'));
  const named = (prefix: string): string[] =>
    Array.from(tensors.keys(), (key) => (key.startsWith(prefix) ? key.slice(prefix.length) : '')).filter(Boolean);
  const model = withLoss(trainingForm(decodeModel(fixture('onnx'))), dims);
  check(model);
  return { model, tensors, parameters: named('grad.'), statistics: named('next.') };
}

function expectClose(
  actual: Tensor | undefined,
  expected: Tensor,
  name: string,
  tolerance: number,
  floor: number,
): void {
  const [numbers, wanted] = [numbersOf(actual!), numbersOf(expected)];
  expect(numbers.length, name).toBe(wanted.length);
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = numbers.reduce((most, value, index) => Math.max(most, Math.abs(value - wanted[index]!)), 0);
  expect(difference, name).toBeLessThanOrEqual(Math.max(tolerance * largest, floor));
}

describe.each(NETWORKS)('a training step of $name exported by PyTorch', (network) => {
  const { model, tensors, parameters, statistics } = read(network);
  const expectStep = (results: Readonly<Record<string, Tensor>>, tolerance: number, floor: number): void => {
    expectClose(results.loss, tensors.get('loss')!, 'loss', tolerance, floor);
    for (const name of parameters) {
      expectClose(results[`${name}_grad`], tensors.get(`grad.${name}`)!, name, tolerance, floor);
    }
    for (const { name, next } of bufferUpdates(model)) {
      expectClose(results[next], tensors.get(`next.${name}`)!, next, tolerance, floor);
    }
  };

  it('has a gradient for every parameter, and a next value for every running statistic', () => {
    expect(parameters.length).toBe(network.parameters);
    expect(new Set(bufferUpdates(model).map(({ name }) => name))).toEqual(new Set(statistics));
    expect(statistics.length).toBe(network.statistics);
  });

  it('has the loss, gradients and running statistics of PyTorch in float64', () => {
    const step = gradient(inFloat64(model), { of: 'loss', withRespectTo: parameters });
    expectStep(evaluate(step, { x: network.batch(), labels: network.labels }), 1e-9, 1e-12);
  });

  it('has them in float32 on ONNX Runtime', async () => {
    const step = gradient(model, { of: 'loss', withRespectTo: parameters });
    const session = await openSession(step, { threads: 1 });
    const results = await session.run({ x: narrowed(network.batch()), labels: network.labels });
    await session.close();
    expectStep(results, 1e-4, 1e-6);
  });
});
