import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/index.ts';
import { decodeSafetensors, numbersOf, type Tensor } from '../../src/base/index.ts';
import type { Model } from '../../src/graph/index.ts';
import { attachLoss, crossEntropy, dropoutMasks, fromConfig, maskSource } from '../../src/nn/index.ts';
import { openSession } from '../../src/runtime/index.ts';

/** Fixtures by fixtures/encoders.py: Hugging Face transformers in float64. */
function fixture(name: string) {
  const file = new URL(`fixtures/${name}.safetensors`, import.meta.url);
  const { tensors, metadata } = decodeSafetensors(new Uint8Array(readFileSync(file)));
  const pick = (keep: (key: string, value: Tensor) => boolean): Map<string, Tensor> =>
    new Map([...tensors].filter(([key, value]) => keep(key, value)));
  return {
    config: JSON.parse(metadata.config!) as Record<string, unknown>,
    weights: pick((_, { dtype }) => dtype === 'float32'),
    inputs: Object.fromEntries(pick((_, { dtype }) => dtype === 'int64')),
    expected: (key: string): number[] => numbersOf(tensors.get(key)!),
  };
}

async function run(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const session = await openSession(model, { threads: 1 });
  const wanted = [...session.inputs.keys()];
  const outputs = await session.run(Object.fromEntries(wanted.map((name) => [name, feeds[name]!])));
  await session.close();
  return outputs;
}

const TYPES = ['bert', 'distilbert', 'roberta', 'electra', 'albert', 'mpnet', 'xlm-roberta'];

const largest = (values: readonly number[]): number => Math.max(...values.map(Math.abs));
const distance = (a: readonly number[], b: readonly number[]): number => largest(a.map((value, i) => value - b[i]!));

describe.each(TYPES)('%s', (type) => {
  const { config, weights, inputs, expected } = fixture(type);

  it('has the parameters of the Hugging Face checkpoint, in their shapes', () => {
    const model = fromConfig(config);
    const parameters = [...model.graph.initializers].filter(([name]) => !/^constant(_\d+)?$/.test(name));
    expect(Object.fromEntries(parameters.map(([name, { dims }]) => [name, dims]))).toEqual(
      Object.fromEntries([...weights].map(([name, { dims }]) => [name, dims])),
    );
  });

  it('computes the logits of Hugging Face, padding included', async () => {
    const { logits } = await run(fromConfig(config, { weights }), inputs);
    expect(logits!.dims).toEqual([3, 3]);
    expect(distance(numbersOf(logits!), expected('logits'))).toBeLessThan(1e-5);
  });

  it('computes the last hidden state of Hugging Face where there is a token', async () => {
    const { last_hidden_state: states } = await run(fromConfig(config, { weights, head: 'none' }), inputs);
    const width = Number(config.hidden_size ?? config.dim);
    expect(states!.dims).toEqual([...inputs.input_ids!.dims, width]);
    const seen = (values: readonly number[]): number[] =>
      values.filter((_, index) => inputs.attention_mask!.data[Math.floor(index / width)] === 1n);
    expect(distance(seen(numbersOf(states!)), seen(expected('last_hidden_state')))).toBeLessThan(1e-5);
  });

  it('has the gradients of PyTorch, for every parameter', async () => {
    const model = attachLoss(fromConfig(config, { weights }), crossEntropy(), {
      predictions: 'logits',
      labels: 'labels',
    });
    const outputs = await run(gradient(model, { of: 'loss', withRespectTo: [...weights.keys()] }), inputs);
    expect(distance(numbersOf(outputs.loss!), expected('loss'))).toBeLessThan(1e-5);
    const wrong = [...weights.keys()].flatMap((name) => {
      const wanted = expected(`grad:${name}`);
      const error = distance(numbersOf(outputs[`${name}_grad`]!), wanted);
      return error <= Math.max(1e-4 * largest(wanted), 1e-6) ? [] : [`${name}: ${error} of ${largest(wanted)}`];
    });
    expect(wrong).toEqual([]);
  });

  it('is the same model in its training form when the masks drop nothing', async () => {
    const model = fromConfig(config, { weights, form: 'training' });
    const masks = maskSource(dropoutMasks(model), { seed: 1 })(0, {
      batch: 3,
      sequence: inputs.input_ids!.dims[1]!,
    });
    const ones = [...masks].map(([name, mask]) => [
      name,
      { ...mask, data: new Float32Array(mask.data.length).fill(1) },
    ]);
    const { logits } = await run(model, { ...inputs, ...Object.fromEntries(ones) });
    expect(distance(numbersOf(logits!), expected('logits'))).toBeLessThan(1e-5);
  });

  it('has a mask for every place where Hugging Face drops', () => {
    // Where layers share parameters, two of them: they have masks of their own.
    const layers = type === 'albert' ? 2 : 1;
    const sizes = { num_hidden_layers: layers, n_layers: layers, num_hidden_groups: 1 };
    const masks = dropoutMasks(fromConfig({ ...config, ...sizes }, { form: 'training' }));
    expect(masks).toMatchSnapshot();
  });
});

it('takes token types only where there are some', async () => {
  const { config, weights, inputs } = fixture('bert');
  const zeros = { ...inputs.token_type_ids!, data: new BigInt64Array(21) };
  const without = await run(fromConfig(config, { weights, tokenTypeIds: false }), inputs);
  const withZeros = await run(fromConfig(config, { weights }), { ...inputs, token_type_ids: zeros });
  expect(distance(numbersOf(without.logits!), numbersOf(withZeros.logits!))).toBeLessThan(1e-6);
  expect(distance(numbersOf(without.logits!), fixture('bert').expected('logits'))).toBeGreaterThan(1e-2);
});

it('gives no NaN for a text of padding alone', async () => {
  const { config, weights, inputs } = fixture('bert');
  const nothing = { ...inputs.attention_mask!, data: new BigInt64Array(21) };
  const { logits } = await run(fromConfig(config, { weights }), { ...inputs, attention_mask: nothing });
  expect(numbersOf(logits!).every(Number.isFinite)).toBe(true);
});
