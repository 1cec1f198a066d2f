import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { evaluateShape } from './dimension.ts';
import { decodeModel } from './encoding.ts';
import { inferShapes, inferTypes } from './infer.ts';
import type { Dimension, Model, TensorType } from './ir.ts';

/**
 * Models as PyTorch's exporters write them, with the real shapes of every value at two input sizes by ONNX Runtime:
 * `fixtures/export-transformers.py`. Of each what its outputs and its attention weights have to be.
 */
const CLASSIFIER = {
  outputs: { logits: ['batch', 3] },
  attention: ['batch', 4, 'sequence', 'sequence'],
};
const DECODER = {
  outputs: {
    logits: ['batch', 'sequence', 50],
    'present.0.key': ['batch', 4, 'past + sequence', 8],
    'present.1.value': ['batch', 4, 'past + sequence', 8],
  },
  attention: ['batch', 4, 'sequence', 'past + sequence'],
};
const MODELS = {
  'bert-opset11': CLASSIFIER,
  'bert-opset14': CLASSIFIER,
  'bert-opset17': CLASSIFIER,
  'bert-dynamo': CLASSIFIER,
  'distilbert-opset11': CLASSIFIER,
  'distilbert-opset14': CLASSIFIER,
  'distilbert-opset17': CLASSIFIER,
  'distilbert-dynamo': CLASSIFIER,
  'gpt2-cache-opset17': DECODER,
};

interface Expected {
  readonly sizes: readonly Readonly<Record<string, number>>[];
  /** Element type as NumPy names it, shape by onnx.shape_inference, real shapes at each size. */
  readonly values: Readonly<Record<string, readonly [string, readonly Dimension[] | null, ...(readonly number[])[]]>>;
}

function fixture(name: string): { model: Model; expected: Expected } {
  const at = (extension: string): URL => new URL(`fixtures/${name}.${extension}`, import.meta.url);
  return {
    model: decodeModel(readFileSync(at('onnx'))),
    expected: JSON.parse(readFileSync(at('json'), 'utf8')) as Expected,
  };
}

/** What exporters declare of values in between must not help. */
function withoutDeclarations(model: Model): Model {
  const outputs = model.graph.outputs.map(({ name }) => ({ name }));
  return { ...model, graph: { ...model.graph, outputs, valueInfo: [] } };
}

describe.each(Object.entries(MODELS))('%s', (name, { outputs, attention }) => {
  const { model, expected } = fixture(name);
  const types = inferTypes(withoutDeclarations(model));
  const shapeOf = (value: string): readonly Dimension[] | undefined => {
    const type = types.get(value)?.type;
    return type?.kind === 'tensor' ? type.shape : undefined;
  };

  test('outputs keep the symbolic dimensions of the inputs', () => {
    expect(Object.fromEntries(Object.keys(outputs).map((output) => [output, shapeOf(output)]))).toEqual(outputs);
  });

  test('the shape of every value is known and holds at both input sizes', () => {
    for (const [value, [dtype, , ...runs]] of Object.entries(expected.values)) {
      const type = types.get(value)?.type;
      expect(type, value).toMatchObject({ kind: 'tensor', dtype });
      const shape = shapeOf(value);
      for (const [run, real] of runs.entries()) {
        expect(evaluateShape(shape ?? [null], expected.sizes[run]!), `${value} ${shape}`).toEqual(real);
      }
    }
  });

  test('attention weights are symbolic as well', () => {
    const weights = model.graph.nodes
      .filter(({ opType }) => opType === 'Softmax')
      .map(({ outputs: [value] }) => value!);
    expect(weights.map(shapeOf)).toEqual([attention, attention]);
  });

  test('onnx.shape_inference knows no number that is not known here', () => {
    for (const [value, [, theirs]] of Object.entries(expected.values)) {
      for (const [axis, dim] of (theirs ?? []).entries()) {
        if (typeof dim === 'number') expect(shapeOf(value)?.[axis], value).toBe(dim);
      }
    }
  });

  test('what the exporter declared agrees, and input sizes that are given make every shape concrete', () => {
    for (const [run, size] of expected.sizes.entries()) {
      const inputs: Record<string, TensorType> = {};
      for (const { name: input, type } of model.graph.inputs) {
        if (type?.kind !== 'tensor' || type.dtype === 'undefined') throw new Error(`${input} is no tensor`);
        inputs[input] = { dtype: type.dtype, shape: evaluateShape(type.shape!, size) };
      }
      const concrete = inferTypes(model, { inputs });
      for (const [value, [, , ...runs]] of Object.entries(expected.values)) {
        expect(concrete.get(value)?.type, value).toMatchObject({ shape: runs[run] });
      }
    }
  });

  test('the pass writes every type into the graph, once', () => {
    const { model: inferred, changed } = inferShapes(withoutDeclarations(model));
    expect(changed).toBe(true);
    expect(inferred.graph.outputs[0]).toMatchObject({ name: 'logits', type: { shape: outputs.logits } });
    const written = new Set([...inferred.graph.valueInfo, ...inferred.graph.outputs].map((info) => info.name));
    expect(Object.keys(expected.values).filter((value) => !written.has(value))).toEqual([]);
    expect(inferShapes(inferred).changed).toBe(false);
  });
});
