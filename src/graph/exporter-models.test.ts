import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { evaluateShape } from './dimension.ts';
import { decodeModel } from './encoding.ts';
import { inferShapes, inferTypes } from './infer.ts';
import type { Dimension, Model } from './ir.ts';

/**
 * BERT and DistilBERT as PyTorch's exporters write them, with the real shapes of every value at two input sizes by ONNX
 * Runtime: `fixtures/export-transformers.py`.
 */
const MODELS = [
  'bert-opset11',
  'bert-opset14',
  'bert-opset17',
  'bert-dynamo',
  'distilbert-opset11',
  'distilbert-opset14',
  'distilbert-opset17',
  'distilbert-dynamo',
];

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

describe.each(MODELS)('%s', (name) => {
  const { model, expected } = fixture(name);
  const types = inferTypes(withoutDeclarations(model));
  const shapeOf = (value: string): readonly Dimension[] | undefined => {
    const type = types.get(value)?.type;
    return type?.kind === 'tensor' ? type.shape : undefined;
  };

  test('the output keeps the symbolic batch', () => {
    expect(shapeOf('logits')).toEqual(['batch', 3]);
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

  test('attention is over the symbolic sequence', () => {
    const probabilities = model.graph.nodes
      .filter(({ opType }) => opType === 'Softmax')
      .map(({ outputs }) => outputs[0]!);
    expect(probabilities.map(shapeOf)).toEqual([
      ['batch', 4, 'sequence', 'sequence'],
      ['batch', 4, 'sequence', 'sequence'],
    ]);
  });

  test('onnx.shape_inference knows no number that is not known here', () => {
    for (const [value, [, theirs]] of Object.entries(expected.values)) {
      for (const [axis, dim] of (theirs ?? []).entries()) {
        if (typeof dim === 'number') expect(shapeOf(value)?.[axis], value).toBe(dim);
      }
    }
  });

  test('what the exporter declared agrees, and input sizes that are given make every shape concrete', () => {
    for (const [run, { batch, sequence }] of expected.sizes.entries()) {
      const input = { dtype: 'int64', shape: [batch!, sequence!] } as const;
      const concrete = inferTypes(model, { inputs: { input_ids: input, attention_mask: input } });
      for (const [value, [, , ...runs]] of Object.entries(expected.values)) {
        expect(concrete.get(value)?.type, value).toMatchObject({ shape: runs[run] });
      }
    }
  });

  test('the pass writes every type into the graph, once', () => {
    const { model: inferred, changed } = inferShapes(withoutDeclarations(model));
    expect(changed).toBe(true);
    expect(inferred.graph.outputs[0]).toMatchObject({ name: 'logits', type: { shape: ['batch', 3] } });
    const written = new Set([...inferred.graph.valueInfo, ...inferred.graph.outputs].map((info) => info.name));
    expect(Object.keys(expected.values).filter((value) => !written.has(value))).toEqual([]);
    expect(inferShapes(inferred).changed).toBe(false);
  });
});
