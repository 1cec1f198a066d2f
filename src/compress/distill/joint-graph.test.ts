import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tensorFrom } from '../../base/index.ts';
import { check, GraphBuilder, type Model, readModel } from '../../graph/index.ts';
import { bert, presetConfig } from '../../nn/index.ts';
import { openSession } from '../../runtime/index.ts';
import { prepareModel } from '../../train/index.ts';
import { distillationGraph } from './joint-graph.ts';
import { transformerValues } from './transformer-values.ts';

const LABELS = ['a', 'b', 'c'];

function encoder(layers: number, hidden: number, heads: number, form: 'inference' | 'training', seed: number): Model {
  const config = { ...presetConfig('bert-tiny', { vocabularySize: 30, labels: LABELS, maximumPositions: 16 }) };
  const sizes = { hidden_size: hidden, intermediate_size: 2 * hidden, num_attention_heads: heads };
  return bert(
    { ...config, ...sizes, num_hidden_layers: layers, initializer_range: 0.5 },
    { form, seed, everyRow: true },
  );
}

const FEEDS = {
  input_ids: tensorFrom('int64', [5, 6, 7, 8, 9, 10, 0, 0], [2, 4]),
  attention_mask: tensorFrom('int64', [1, 1, 1, 1, 1, 1, 0, 0], [2, 4]),
  token_type_ids: tensorFrom('int64', [0, 0, 0, 0, 0, 0, 0, 0], [2, 4]),
};

async function run(model: Model, outputs: readonly string[]): Promise<number[][]> {
  const graph = { ...model.graph, outputs: outputs.map((name) => ({ name })) };
  const session = await openSession({ ...model, graph });
  const results = await session.run(FEEDS);
  await session.close();
  return outputs.map((name) => Array.from(results[name]!.data as Float32Array));
}

describe('a joint graph', () => {
  it('computes what both compute alone, and gives out what the student gives', async () => {
    const [student, teacher] = [encoder(1, 8, 2, 'inference', 1), encoder(2, 12, 3, 'inference', 2)];
    const { model, teacher: named } = distillationGraph(student, teacher);
    check(model);
    expect(model.graph.inputs.map(({ name }) => name)).toEqual(['input_ids', 'attention_mask', 'token_type_ids']);
    expect(model.graph.outputs).toEqual(student.graph.outputs);
    const [[own], [theirs]] = [await run(student, ['logits']), await run(teacher, ['logits'])];
    expect(await run(model, ['logits', named('logits')])).toEqual([own, theirs]);
    expect(model.graph.initializers.has('teacher/bert.encoder.layer.1.attention.self.key.weight')).toBe(true);
  });

  it('refuses models that read other things under one name', () => {
    const graph = new GraphBuilder();
    graph.output(graph.input('input_ids', 'float32', ['batch', 4]));
    const other = graph.build();
    expect(() => distillationGraph(encoder(1, 8, 2, 'inference', 1), other)).toThrow(
      'input "input_ids": the student takes int64[batch, sequence], the teacher float32[batch, 4]',
    );
    const newer = { ...other, opsets: [{ domain: '', version: 21 }] };
    expect(() => distillationGraph(other, newer)).toThrow(
      'the student has operator set 17 of "ai.onnx", the teacher has 21',
    );
  });
});

describe('the values of a transformer', () => {
  it.each(['inference', 'training'] as const)('are found by the structure of the graph: the %s form', (form) => {
    const values = transformerValues(encoder(3, 8, 2, form, 1));
    expect(values.hidden).toBe(8);
    expect(
      values.attention.map(({ heads, query, key, value }) => [heads, query.width, key.width, value.width]),
    ).toEqual(Array(3).fill([2, 8, 8, 8]));
    expect(values.states.at(-1)).toBe('bert.encoder.layer.2.output.LayerNorm.output');
    expect(values.attention[1]!.query.value).toBe('bert.encoder.layer.1.attention.self.query.output');
    // The scale of the scores is inside the query.
    expect(values.attention.map(({ query, key }) => [query.scale, key.scale])).toEqual(Array(3).fill([0.5, 1]));
    const isTraining = form === 'training';
    expect(values.embeddings.includes('LayerNorm')).toBe(!isTraining);
  });

  it('are scores without the term of the mask', async () => {
    const model = encoder(1, 8, 2, 'inference', 1);
    const [layer] = transformerValues(model).attention;
    const [scores] = await run(model, [layer!.scores]);
    expect(scores).toHaveLength(2 * 2 * 4 * 4);
    expect(Math.min(...scores!)).toBeGreaterThan(-1000);
    // By hand: the first query of the first head with its first key.
    const [query, key] = await run(model, [layer!.query.value, layer!.key.value]);
    const product = [0, 1, 2, 3].reduce((sum, at) => sum + query![at]! * key![at]!, 0);
    expect(scores![0]).toBeCloseTo(product, 5);
  });

  it.each([
    ['src/graph/fixtures/bert-opset17', 2],
    ['src/graph/fixtures/bert-dynamo', 2],
    ['src/graph/fixtures/distilbert-opset17', 2],
    ['src/graph/fixtures/distilbert-dynamo', 2],
    ['tests/fixtures/exported-text/classifier', 2],
  ])('are found in what PyTorch exported: %s', async (file, layers) => {
    const path = join(import.meta.dirname, '../../..', `${file}.onnx`);
    const model = prepareModel(await readModel(path, { loadExternalData: false }));
    const values = transformerValues(model);
    expect(values.attention).toHaveLength(layers);
    expect(new Set(values.states).size).toBe(layers);
    for (const { query, key, value } of values.attention)
      expect([query.width, key.width, value.width]).toEqual(Array(3).fill(values.hidden));
  });

  it.each([
    ['src/graph/fixtures/bert-opset14', 'has no normalization behind its last layer'],
    // One product gives query, key and value.
    ['tests/fixtures/networks/transformer-encoder', 'has no layer of attention that is known'],
  ])('are refused where the graph has another form: %s', async (file, reason) => {
    const path = join(import.meta.dirname, '../../..', `${file}.onnx`);
    const model = prepareModel(await readModel(path, { loadExternalData: false }));
    expect(() => transformerValues(model)).toThrow(reason);
  });

  it('are refused for a graph that has none', () => {
    const graph = new GraphBuilder();
    graph.output(graph.softmax(graph.input('x', 'float32', ['batch', 4])));
    expect(() => transformerValues(graph.build())).toThrow('has no layer of attention that is known');
  });
});
