import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, numbersOf, type Tensor, tensorFrom } from '../base/index.ts';
import {
  type Attribute,
  decodeModel,
  encodeModel,
  evaluate,
  GraphBuilder,
  int,
  type Model,
  type Node,
  opsetOf,
  type StoredTensor,
  stored,
  tensorInfo,
  tensorOf,
} from '../graph/index.ts';
import { gradient } from './index.ts';

/** A 2-layer BERT as PyTorch exported it, a batch with padding, and PyTorch's gradients: see fixtures/bert.py. */
const fixture = (name: string): Uint8Array => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const FORWARD = withLoss(decodeModel(fixture('bert.onnx')));
const TENSORS = decodeSafetensors(fixture('bert.safetensors')).tensors;
const WEIGHTS = [...TENSORS.keys()].filter((name) => name.startsWith('grad.')).map((name) => name.slice(5));
const FEEDS = Object.fromEntries(
  ['input_ids', 'attention_mask', 'token_type_ids', 'labels'].map((name) => [name, TENSORS.get(name)!]),
);

function withLoss(model: Model): Model {
  const build = new GraphBuilder({ opset: opsetOf(model)!, extending: model.graph });
  build.op('SoftmaxCrossEntropyLoss', ['logits', 'labels'], undefined, 'loss');
  const { graph } = model;
  const inputs = [...graph.inputs, tensorInfo('labels', { dtype: 'int64', shape: ['batch'] })];
  const outputs = [...graph.outputs, tensorInfo('loss', { dtype: 'float64', shape: [] })];
  return { ...model, graph: { ...graph, nodes: [...graph.nodes, ...build.nodes], inputs, outputs } };
}

/** The same model in float32: weights, constants, casts and declared types. */
function inFloat32(model: Model): Model {
  const narrow = (value: StoredTensor): StoredTensor =>
    value.dtype === 'float64' ? stored(tensorFrom('float32', numbersOf(tensorOf(value)), value.dims)) : value;
  const attribute = (node: Node, name: string, value: Attribute): Attribute => {
    if (value.kind === 'tensor') return { ...value, value: narrow(value.value) };
    return node.opType === 'Cast' && name === 'to' && value.value === 11 ? int(1) : value;
  };
  const { graph } = model;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    attributes: new Map([...node.attributes].map(([name, value]) => [name, attribute(node, name, value)] as const)),
  }));
  const initializers = new Map([...graph.initializers].map(([name, value]) => [name, narrow(value)] as const));
  const outputs = graph.outputs.map(({ name }) => ({ name }));
  return { ...model, graph: { ...graph, nodes, initializers, outputs, valueInfo: [] } };
}

function expectGradients(results: Readonly<Record<string, Tensor>>, tolerance: number, floor: number): void {
  for (const name of WEIGHTS) {
    const expected = numbersOf(TENSORS.get(`grad.${name}`)!);
    const actual = numbersOf(results[`${name}_grad`]!);
    expect(actual.length, name).toBe(expected.length);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const difference = actual.reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index]!)), 0);
    expect(difference, name).toBeLessThanOrEqual(Math.max(tolerance * largest, floor));
  }
}

describe('gradients of a 2-layer BERT', () => {
  it('equal those of PyTorch in float64', () => {
    expect(WEIGHTS.length).toBe(41);
    const model = gradient(FORWARD, { of: 'loss', withRespectTo: WEIGHTS });
    const results = evaluate(model, FEEDS);
    expect(numbersOf(results.loss!)[0]).toBeCloseTo(numbersOf(TENSORS.get('loss')!)[0]!, 12);
    expectGradients(results, 1e-9, 1e-12);
  });

  it('equal those of PyTorch in float32 on ONNX Runtime', async () => {
    const model = gradient(inFloat32(FORWARD), { of: 'loss', withRespectTo: WEIGHTS });
    const session = await InferenceSession.create(encodeModel(model), { intraOpNumThreads: 1, logSeverityLevel: 3 });
    const feeds = Object.entries(FEEDS).map(
      ([name, { dims, data }]) => [name, new RuntimeTensor('int64', data as BigInt64Array, dims)] as const,
    );
    const results = await session.run(Object.fromEntries(feeds));
    await session.release();
    const tensors = Object.entries(results).map(
      ([name, { dims, data }]) => [name, { dtype: 'float32', dims, data: data as Float32Array }] as const,
    );
    expectGradients(Object.fromEntries(tensors), 1e-4, 1e-6);
  });
});
