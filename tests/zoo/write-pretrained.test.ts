import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, type Tensor } from '../../src/base/index.ts';
import { type Model, tensorOf } from '../../src/graph/index.ts';
import { bert, fromConfig } from '../../src/nn/index.ts';
import { readPretrained, writePretrained } from '../../src/zoo/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lathe-write-pretrained-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const TYPES = {
  bert: 'Bert',
  distilbert: 'DistilBert',
  roberta: 'Roberta',
  'xlm-roberta': 'XLMRoberta',
  camembert: 'Camembert',
  electra: 'Electra',
  albert: 'Albert',
  mpnet: 'MPNet',
};
const HEADS = {
  'sequence-classification': 'ForSequenceClassification',
  'token-classification': 'ForTokenClassification',
  'question-answering': 'ForQuestionAnswering',
  'masked-lm': 'ForMaskedLM',
  'masked-lm-untied': 'ForMaskedLM',
};

/** The parameters of a class of transformers, as it names and lays them out (see ../nn/fixtures/heads.py). */
function fixture(type: string, head: string) {
  const file = new URL(`../nn/fixtures/heads-${type}.safetensors`, import.meta.url);
  const { tensors, metadata } = decodeSafetensors(new Uint8Array(readFileSync(file)));
  const weights = new Map<string, Tensor>();
  for (const [key, value] of tensors) {
    const name = key.startsWith(`${head}|`) ? key.slice(head.length + 1) : key;
    if (value.dtype === 'float32' && !name.includes('|') && !name.startsWith('out:')) weights.set(name, value);
  }
  return { config: JSON.parse(metadata.config!) as Record<string, unknown>, weights };
}

const read = (path: string) => decodeSafetensors(new Uint8Array(readFileSync(path)));
const initializersOf = ({ graph }: Model) =>
  new Map([...graph.initializers].map(([name, value]) => [name, tensorOf(value)]));

describe.each(Object.entries(TYPES))('a checkpoint of %s', (type, className) => {
  it.each(Object.entries(HEADS))(
    'for %s has the names and the values of transformers, and reads back',
    async (head, suffix) => {
      const { config, weights } = fixture(type, head);
      const described = {
        ...config,
        architectures: [className + suffix],
        tie_word_embeddings: head !== 'masked-lm-untied',
        ...(head === 'question-answering' && { id2label: { 0: 'LABEL_0', 1: 'LABEL_1' } }),
      };
      const given = join(folder, 'given');
      mkdirSync(given);
      writeFileSync(join(given, 'config.json'), JSON.stringify(described));
      writeFileSync(join(given, 'model.safetensors'), Buffer.concat(encodeSafetensors(weights)));
      const first = await readPretrained(given);
      const out = join(folder, 'written');
      const result = await writePretrained(out, first.model, first.config);

      const { tensors, metadata } = read(join(out, 'model.safetensors'));
      // Python's transformers refuses files that do not say whose layout they have.
      expect(metadata).toEqual({ format: 'pt' });
      expect([...tensors.keys()].sort()).toEqual([...weights.keys()].sort());
      for (const [name, value] of weights) {
        // A bias that its class has and does not read comes back as the one that is read.
        const unread = first.unused.includes(name);
        expect(tensors.get(name), name).toEqual(unread ? tensors.get(name.replace('.bias', '.decoder.bias')) : value);
      }
      expect(result).toEqual({
        files: ['config.json', 'model.safetensors'],
        tensors: weights.size,
        bytes: [...weights.values()].reduce((sum, { data }) => sum + 4 * data.length, 0),
      });
      expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toEqual({ ...described, dtype: 'float32' });

      const again = await readPretrained(out);
      expect([again.head, again.initialized, again.unused]).toEqual([first.head, [], first.unused]);
      expect(initializersOf(again.model)).toEqual(initializersOf(first.model));
    },
  );
});

const CONFIG = {
  model_type: 'bert',
  architectures: ['BertForSequenceClassification'],
  vocab_size: 30,
  hidden_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 3,
  intermediate_size: 16,
  max_position_embeddings: 10,
};

describe('a checkpoint', () => {
  it('may be in parts, none larger than asked for', async () => {
    const model = bert(CONFIG, { seed: 3 });
    const { files, bytes } = await writePretrained(folder, model, CONFIG, {
      shardBytes: 2000,
      files: { 'tokenizer.json': '{}' },
    });
    const parts = files.filter((name) => name.endsWith('.safetensors'));
    expect(parts.length).toBeGreaterThan(2);
    expect(parts[1]).toBe(`model-00002-of-${String(parts.length).padStart(5, '0')}.safetensors`);
    expect(files).toContain('tokenizer.json');
    const index = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8'));
    expect(index.metadata).toEqual({ total_size: bytes });
    let total = 0;
    for (const part of parts) {
      const tensors = [...read(join(folder, part)).tensors];
      const size = tensors.reduce((sum, [, { data }]) => sum + 4 * data.length, 0);
      expect(size <= 2000 || tensors.length === 1, part).toBe(true);
      for (const [name] of tensors) expect(index.weight_map[name]).toBe(part);
      total += size;
    }
    expect(total).toBe(bytes);
    expect(initializersOf((await readPretrained(folder)).model)).toEqual(initializersOf(model));
  });

  it('of the bare encoder has names without its prefix, as transformers writes them', async () => {
    const config = { ...CONFIG, architectures: ['BertModel'] };
    const model = bert(config, { head: 'none', seed: 3 });
    await writePretrained(folder, model, config);
    expect(read(join(folder, 'model.safetensors')).tensors.has('embeddings.LayerNorm.weight')).toBe(true);
    expect(initializersOf((await readPretrained(folder)).model)).toEqual(initializersOf(model));
  });

  it.each<[string, Model, object, string, RegExp]>([
    ['of another model type', bert(CONFIG), { model_type: 'lathe-linear' }, 'unsupported', /"lathe-linear"/],
    [
      'of a class with another head',
      bert(CONFIG),
      { ...CONFIG, architectures: ['BertForMultipleChoice'] },
      'unsupported',
      /names "BertForMultipleChoice"[\s\S]*/,
    ],
    [
      'of a model without its parameters',
      fromConfig(CONFIG, { head: 'masked-lm' }),
      CONFIG,
      'invalid-model',
      /lacks 4 parameters of BertForSequenceClassification: bert\.pooler\.dense\.weight/,
    ],
    ['of other sizes', bert({ ...CONFIG, vocab_size: 31 }), CONFIG, 'shape', /\[30, 12\].*\[31, 12\]/],
  ])('%s is refused', async (_, model, config, code, message) => {
    const out = join(folder, 'out');
    await expect(writePretrained(out, model, config as Record<string, unknown>)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not take the place of files', async () => {
    writeFileSync(join(folder, 'thesis.tex'), 'years of work');
    await expect(writePretrained(folder, bert(CONFIG), CONFIG)).rejects.toMatchObject({ code: 'usage' });
    expect(readdirSync(folder)).toEqual(['thesis.tex']);
  });
});
