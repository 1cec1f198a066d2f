import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { float64Of, tensorFrom } from '../base/index.ts';
import { decodeModel, evaluate, expandContribOperators, GraphBuilder, type Model } from '../graph/index.ts';
import { gradient } from './index.ts';

/** A BERT as PyTorch exports it, and as ONNX Runtime's optimizer fuses it: fixtures/optimized-bert.py. */
const read = (name: string): Model => decodeModel(readFileSync(new URL(`fixtures/${name}.onnx`, import.meta.url)));

const FEEDS = {
  input_ids: tensorFrom('int64', [3, 9, 31, 0, 12, 1], [2, 3]),
  attention_mask: tensorFrom('int64', [1, 1, 1, 1, 1, 0], [2, 3]),
  token_type_ids: tensorFrom('int64', [0, 1, 1, 0, 0, 1], [2, 3]),
};

/** With Σ sin(h) of the hidden states as its loss. */
function withLoss(model: Model): Model {
  const build = new GraphBuilder({ opset: 17, extending: model.graph });
  const loss = build.op('ReduceSum', [build.op('Sin', ['hidden'])], { keepdims: { kind: 'int', value: 0 } }, 'loss');
  return {
    ...model,
    graph: {
      ...model.graph,
      nodes: [...model.graph.nodes, ...build.nodes],
      outputs: [...model.graph.outputs, { name: loss }],
    },
  };
}

it('an optimized model gives the outputs and the gradients of the one that it was made from', () => {
  const plain = withLoss(read('optimized-bert-plain'));
  const optimized = read('optimized-bert');
  expect(optimized.graph.nodes.some(({ domain }) => domain === 'com.microsoft')).toBe(true);
  const written = withLoss(expandContribOperators(optimized).model);
  expect(written.graph.nodes.some(({ domain }) => domain === 'com.microsoft')).toBe(false);
  const weights = [...plain.graph.initializers].filter(([name, { dtype, dims }]) => {
    const other = written.graph.initializers.get(name);
    return dtype === 'float32' && dims.length > 0 && other !== undefined && String(other.dims) === String(dims);
  });
  const withRespectTo = weights.map(([name]) => name);
  expect(withRespectTo.length).toBeGreaterThanOrEqual(18);
  const [expected, results] = [plain, written].map((model) =>
    evaluate(gradient(model, { of: 'loss', withRespectTo }), FEEDS),
  );
  for (const [name, value] of Object.entries(expected!)) {
    const [wanted, got] = [float64Of(value), float64Of(results![name]!)];
    const largest = Math.max(1e-2, ...wanted.map(Math.abs));
    for (const [index, number] of wanted.entries()) {
      expect(Math.abs(got[index]! - number), `${name}[${index}]`).toBeLessThanOrEqual(1e-4 * largest);
    }
  }
});
