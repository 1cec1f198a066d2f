import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/index.ts';
import { decodeSafetensors, numbersOf, type Tensor } from '../../src/base/index.ts';
import { inferShapes, type Model, problems } from '../../src/graph/index.ts';
import { attachLoss, crossEntropy, dropoutMasks, type EncoderOptions, fromConfig } from '../../src/nn/index.ts';
import { openSession } from '../../src/runtime/index.ts';

/** Fixtures by fixtures/heads.py: Hugging Face transformers in float64. */
function fixture(name: string) {
  const file = new URL(`fixtures/heads-${name}.safetensors`, import.meta.url);
  const { tensors, metadata } = decodeSafetensors(new Uint8Array(readFileSync(file)));
  const config = JSON.parse(metadata.config!) as Record<string, unknown>;
  const starting = (prefix: string): [string, Tensor][] =>
    [...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => [key.slice(prefix.length), value]);
  const encoder = [...tensors].filter(([key, { dtype }]) => dtype === 'float32' && !key.includes('|'));
  return {
    config,
    inputs: Object.fromEntries([...tensors].filter(([, { dtype }]) => dtype === 'int64')),
    head: (head: string) => ({
      weights: new Map([...encoder, ...starting(`${head}|`)]),
      expected: Object.fromEntries(starting(`${head}|out:`).map(([key, value]) => [key, numbersOf(value)])),
    }),
  };
}

async function run(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const session = await openSession(model, { threads: 1 });
  const outputs = await session.run(Object.fromEntries([...session.inputs.keys()].map((name) => [name, feeds[name]!])));
  await session.close();
  return outputs;
}

const TYPES = ['bert', 'distilbert', 'roberta', 'xlm-roberta', 'camembert', 'electra', 'albert', 'mpnet'];
const HEADS = {
  'sequence-classification': {},
  'token-classification': {},
  'question-answering': {},
  'masked-lm': {},
  'masked-lm-untied': { tie_word_embeddings: false },
} as const;

describe.each(TYPES)('%s', (type) => {
  const { config, inputs, head: partOf } = fixture(type);

  it.each(Object.entries(HEADS))('computes the outputs of Hugging Face for %s', async (name, changes) => {
    const head = name.replace('-untied', '') as NonNullable<EncoderOptions['head']>;
    const { weights, expected } = partOf(name);
    const asked = new Set<string>();
    const source = {
      get(parameter: string) {
        asked.add(parameter);
        return weights.get(parameter);
      },
    };
    const model = fromConfig({ ...config, ...changes }, { head, weights: source });
    expect([...asked].filter((parameter) => !weights.has(parameter))).toEqual([]);
    expect(problems(model)).toEqual([]);
    const outputs = await run(model, inputs);
    expect(Object.keys(outputs).sort()).toEqual(Object.keys(expected).sort());
    for (const [output, values] of Object.entries(expected)) {
      const got = numbersOf(outputs[output]!);
      expect(got.length).toBe(values.length);
      expect(Math.max(...got.map((value, index) => Math.abs(value - values[index]!)))).toBeLessThan(1e-5);
    }
  });

  it.each(['token-classification', 'question-answering', 'masked-lm'] as const)(
    'has shapes and gradients for %s, and dropout in its training form',
    (head) => {
      const model = fromConfig(config, { head, form: 'training' });
      expect(dropoutMasks(model).length).toBeGreaterThan(2);
      const outputs = model.graph.outputs.map(({ name }) => ({ name }));
      const inferred = inferShapes({ ...model, graph: { ...model.graph, outputs } }).model.graph.outputs;
      expect(inferred).toEqual(model.graph.outputs);
      if (head === 'question-answering') return;
      const withLoss = attachLoss(model, crossEntropy(), { predictions: 'logits', labels: 'labels' });
      const parameters = [...model.graph.initializers.keys()].filter((name) => name.includes('.'));
      const { outputs: all } = gradient(withLoss, { of: 'loss', withRespectTo: parameters }).graph;
      expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining(parameters.map((name) => `${name}_grad`)));
    },
  );
});
