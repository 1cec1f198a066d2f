import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, tensorFrom } from '../../src/base/index.ts';
import { type Model, tensorOf } from '../../src/graph/index.ts';
import { bert, linearModel } from '../../src/nn/index.ts';
import { writePackage } from '../../src/pipeline/index.ts';
import { jsonOf, lathe, listed, temporaryFolder } from './lathe.ts';

const folder = temporaryFolder();
const config = {
  model_type: 'bert',
  architectures: ['BertForSequenceClassification'],
  vocab_size: 30,
  hidden_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 3,
  intermediate_size: 16,
  max_position_embeddings: 10,
};
const model = bert(config, { seed: 4 });

const write = (name: string, given: Model, files: Readonly<Record<string, string>>) =>
  writePackage(join(folder, name), {
    model: given,
    manifest: {
      task: 'text-classification',
      labels: ['a', 'b'],
      pipeline: {
        input: 'text',
        steps: [],
        features: { kind: 'tokens', maxLength: 10, tokenTypes: true },
        output: { name: 'logits', scores: 'softmax' },
      },
      columns: { text: 'text', label: 'label' },
      metrics: [],
      lineage: { step: 'train', settings: {}, seed: 0, dataHash: '', versions: {}, createdAt: '' },
    },
    files,
  });

beforeAll(async () => {
  const text = JSON.stringify(config);
  await write('package', model, {
    'config.json': text,
    'tokenizer.json': '{}',
    'README.md': '#',
    'more/file.json': '1',
  });
  await write('linear', linearModel({ vocabularySize: 5, labels: 2 }), {
    'config.json': '{"model_type":"lathe-linear"}',
  });
});

const weights = (name: string) =>
  decodeSafetensors(new Uint8Array(readFileSync(join(folder, name, 'model.safetensors')))).tensors;

describe('lathe export', () => {
  it('writes the checkpoint of a package, with what goes with it', async () => {
    const ended = await lathe(folder, 'export package --out checkpoint --json'.split(' '));
    expect(ended.code, ended.stderr).toBe(0);
    const files = ['config.json', 'model.safetensors', 'more/file.json', 'tokenizer.json'];
    expect(jsonOf(ended)).toMatchObject({ out: 'checkpoint', format: 'safetensors', files });
    expect(listed(join(folder, 'checkpoint')).filter((name) => name !== 'more')).toEqual(files);
    const query = 'bert.encoder.layer.0.attention.self.query.weight';
    expect(weights('checkpoint').get(query)).toEqual(tensorOf(model.graph.initializers.get(query)!));
  });

  it('takes the parameters of a checkpoint of the run, and nothing else of it', async () => {
    const given = new Map([
      ['classifier.bias', tensorFrom('float32', [3, 4])],
      ['classifier.bias.first_moment', tensorFrom('float32', [1, 1])],
    ]);
    writeFileSync(join(folder, 'last.safetensors'), Buffer.concat(encodeSafetensors(given, { lathe_position: '{}' })));
    const ended = await lathe(folder, 'export package --checkpoint last.safetensors --out last'.split(' '));
    expect(ended.code, ended.stderr).toBe(0);
    const [before, after] = [weights('checkpoint'), weights('last')];
    expect(after.get('classifier.bias')).toEqual(given.get('classifier.bias'));
    expect([...after.keys()]).toEqual([...before.keys()]);
    expect(after.get('classifier.weight')).toEqual(before.get('classifier.weight'));
  });

  it.each([
    ['linear --out x', 1, /model type "lathe-linear", .*\n.*ONNX file .*model\.onnx/s],
    ['package --out package', 2, /"package" is there already/],
    ['package --out x --shard-size none', 2, /expected a size/],
    ['package --out x --checkpoint missing.safetensors', 1, /there is no "missing\.safetensors"/],
    ['package --out x --checkpoint package/config.json', 1, /package.config\.json: not a valid safetensors file/],
    ['package --out x --format gguf', 2, /safetensors/],
  ])('%s: %i', async (words, code, message) => {
    const ended = await lathe(folder, ['export', ...words.split(' ')]);
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(listed(folder)).not.toContain('x');
  });
});
