import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, numbersOf, type Tensor, tensorFrom } from '../../src/base/index.ts';
import { tensorOf } from '../../src/graph/index.ts';
import { openSession } from '../../src/runtime/index.ts';
import { type Pretrained, readPretrained } from '../../src/zoo/index.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A checkpoint folder with these files; objects are written as JSON, maps as safetensors. */
function folderOf(files: Readonly<Record<string, object | string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'lathe-pretrained-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    const bytes =
      content instanceof Map
        ? Buffer.concat(encodeSafetensors(content))
        : typeof content === 'string'
          ? content
          : JSON.stringify(content);
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

type Tensors = ReadonlyMap<string, Tensor>;

/** The checkpoint of a head, and what Hugging Face transformers computes with it (see ../nn/fixtures/heads.py). */
function fixture(type: string, head: string) {
  const file = new URL(`../nn/fixtures/heads-${type}.safetensors`, import.meta.url);
  const { tensors, metadata } = decodeSafetensors(new Uint8Array(readFileSync(file)));
  const { architectures: _, ...config } = JSON.parse(metadata.config!) as Record<string, unknown>;
  const weights = new Map<string, Tensor>();
  for (const [key, value] of tensors) {
    const name = key.startsWith(`${head}|`) ? key.slice(head.length + 1) : key;
    if (!name.includes('|') && !name.startsWith('out:') && value.dtype === 'float32') weights.set(name, value);
  }
  const inputs = new Map([...tensors].filter(([, { dtype }]) => dtype === 'int64'));
  return { config, weights, inputs, expected: numbersOf(tensors.get(`${head}|out:logits`)!) };
}

const renamed = (tensors: Tensors, rename: (name: string) => string): Tensors =>
  new Map([...tensors].map(([name, value]) => [rename(name), value]));
const without = (tensors: Tensors, drop: (name: string) => boolean): Tensors =>
  new Map([...tensors].filter(([name]) => !drop(name)));

async function error({ model }: Pretrained, { inputs, expected }: ReturnType<typeof fixture>): Promise<number> {
  const session = await openSession(model, { threads: 1 });
  const { logits } = await session.run(
    Object.fromEntries([...session.inputs.keys()].map((name) => [name, inputs.get(name)!])),
  );
  await session.close();
  return Math.max(...numbersOf(logits!).map((value, index) => Math.abs(value - expected[index]!)));
}

const bert = fixture('bert', 'sequence-classification');
const classifier = { ...bert.config, architectures: ['BertForSequenceClassification'] };

describe('a checkpoint folder', () => {
  it.each(['bert', 'distilbert', 'roberta', 'xlm-roberta', 'camembert', 'electra', 'albert', 'mpnet'])(
    'gives the model of %s, which computes what Hugging Face does',
    async (type) => {
      const given = fixture(type, 'masked-lm');
      const read = await readPretrained(folderOf({ 'config.json': given.config, 'model.safetensors': given.weights }), {
        head: 'masked-lm',
      });
      expect([read.initialized, read.unused]).toEqual([[], []]);
      expect(await error(read, given)).toBeLessThan(1e-5);
    },
  );

  it('has the head that config.json names', async () => {
    const read = await readPretrained(folderOf({ 'config.json': classifier, 'model.safetensors': bert.weights }));
    expect(read.head).toBe('sequence-classification');
    expect(await error(read, bert)).toBeLessThan(1e-5);
    const bare = await readPretrained(
      folderOf({ 'config.json': { ...classifier, architectures: ['BertModel'] }, 'model.safetensors': bert.weights }),
    );
    expect(bare.head).toBe('none');
    expect([...bare.unused].sort()).toEqual(
      ['weight', 'bias'].flatMap((kind) => [`bert.pooler.dense.${kind}`, `classifier.${kind}`]).sort(),
    );
  });

  it('may be in parts', async () => {
    const names = [...bert.weights.keys()];
    const partOf = new Map(names.map((name, index) => [name, `model-0000${1 + (index % 2)}-of-00002.safetensors`]));
    // Each part also has zeros in place of what the index says is in the other.
    const part = (file: string): Tensors =>
      new Map(
        [...bert.weights].map(([name, value]) => [
          name,
          partOf.get(name) === file ? value : tensorFrom('float32', numbersOf(value).fill(0), value.dims),
        ]),
      );
    const parts = Object.fromEntries([...new Set(partOf.values())].map((file) => [file, part(file)]));
    const index = { metadata: {}, weight_map: Object.fromEntries(partOf) };
    const read = await readPretrained(
      folderOf({ 'config.json': classifier, 'model.safetensors.index.json': index, ...parts }),
    );
    expect(await error(read, bert)).toBeLessThan(1e-5);
  });

  it('may lack the prefix and have the old names of normalization', async () => {
    const old = renamed(bert.weights, (name) =>
      name
        .replace(/^bert\./, '')
        .replace('LayerNorm.weight', 'LayerNorm.gamma')
        .replace('LayerNorm.bias', 'LayerNorm.beta'),
    );
    const read = await readPretrained(folderOf({ 'config.json': classifier, 'model.safetensors': old }));
    expect([read.initialized, read.unused]).toEqual([[], []]);
    expect(await error(read, bert)).toBeLessThan(1e-5);
  });

  it('may keep the bias of masked words under its other name', async () => {
    const given = fixture('bert', 'masked-lm');
    const other = renamed(given.weights, (name) => name.replace('predictions.bias', 'predictions.decoder.bias'));
    const read = await readPretrained(folderOf({ 'config.json': given.config, 'model.safetensors': other }), {
      head: 'masked-lm',
    });
    expect([read.initialized, read.unused]).toEqual([[], []]);
    expect(await error(read, given)).toBeLessThan(1e-5);
  });

  it.each(['float16', 'bfloat16', 'float64'] as const)('may be in %s', async (dtype) => {
    const narrow = new Map(
      [...bert.weights].map(([name, value]) => [name, tensorFrom(dtype, numbersOf(value), value.dims)]),
    );
    const { model } = await readPretrained(folderOf({ 'config.json': classifier, 'model.safetensors': narrow }));
    for (const [name, value] of narrow) {
      const read = tensorOf(model.graph.initializers.get(name)!);
      expect(read.dtype).toBe('float32');
      expect(numbersOf(read)).toEqual(numbersOf(value));
    }
  });

  it('says which parameters of the head are new, and which tensors have no place', async () => {
    const given = new Map([
      ...without(bert.weights, (name) => name.startsWith('classifier')),
      ['cls.predictions.bias', tensorFrom('float32', [1, 2])] as const,
      ['bert.embeddings.position_ids', tensorFrom('int64', [0, 1])] as const,
    ]);
    const read = await readPretrained(folderOf({ 'config.json': classifier, 'model.safetensors': given }));
    expect(read.initialized).toEqual(['classifier.weight', 'classifier.bias']);
    expect(read.unused).toEqual(['cls.predictions.bias']);
  });

  it('starts the logits anew for other labels, and keeps them for the same', async () => {
    const config = { ...classifier, id2label: { 0: 'a', 1: 'b', 2: 'c' } };
    const folder = folderOf({ 'config.json': config, 'model.safetensors': bert.weights });
    const other = await readPretrained(folder, { labels: ['a', 'b'] });
    expect(other.initialized).toEqual(['classifier.weight', 'classifier.bias']);
    expect(other.unused).toEqual(expect.arrayContaining(['classifier.weight', 'classifier.bias']));
    expect(other.config.id2label).toEqual({ 0: 'a', 1: 'b' });
    expect(other.model.graph.outputs[0]!.name).toBe('logits');
    const same = await readPretrained(folder, { labels: ['a', 'b', 'c'] });
    expect(same.initialized).toEqual([]);
    expect(await error(same, bert)).toBeLessThan(1e-5);
  });
});

describe('what cannot be read', () => {
  const weights = bert.weights;
  const query = 'bert.encoder.layer.0.attention.self.query.weight';
  const indexed = (part: unknown): object => ({
    'config.json': classifier,
    'model.safetensors.index.json': { weight_map: { [query]: part } },
  });
  it.each<[string, object, string, RegExp]>([
    ['no config.json', { 'model.safetensors': weights }, 'not-found', /no config\.json/],
    ['a config.json that is not JSON', { 'config.json': '{' }, 'corrupt', /config\.json: is not JSON/],
    ['another model type', { 'config.json': { model_type: 't5' } }, 'unsupported', /"t5"/],
    ['no weights', { 'config.json': classifier }, 'not-found', /no weights/],
    [
      'pickled weights',
      { 'config.json': classifier, 'pytorch_model.bin': 'x' },
      'unsupported',
      /pytorch_model\.bin.*pickle[\s\S]*save_pretrained/,
    ],
    [
      'an encoder without one of its parameters',
      { 'config.json': classifier, 'model.safetensors': without(weights, (name) => name === query) },
      'invalid-model',
      /lacks 1 parameters of the encoder: bert\.encoder\.layer\.0\.attention\.self\.query\.weight/,
    ],
    [
      'dimensions other than those of config.json',
      { 'config.json': { ...classifier, intermediate_size: 20 }, 'model.safetensors': weights },
      'shape',
      /intermediate\.dense\.weight/,
    ],
    [
      'quantized weights',
      {
        'config.json': classifier,
        'model.safetensors': new Map([
          ...weights,
          [query, tensorFrom('int8', new Array<number>(144).fill(1), [12, 12])],
        ]),
      },
      'unsupported',
      /is int8/,
    ],
    ['a file that is no safetensors', { 'config.json': classifier, 'model.safetensors': 'x' }, 'corrupt', /model\.saf/],
    ['an index that names a file elsewhere', indexed('../model.safetensors'), 'corrupt', /beside the index/],
    ['an index that names a pickle', indexed('part.bin'), 'corrupt', /beside the index/],
    ['a part that is not there', indexed('part.safetensors'), 'not-found', /part\.safetensors/],
    [
      'a part without the tensor it should have',
      { ...indexed('part.safetensors'), 'part.safetensors': without(weights, (name) => name === query) },
      'corrupt',
      /lack 1 tensors/,
    ],
  ])('%s', async (_, files, code, message) => {
    const folder = folderOf(files as Record<string, object | string>);
    const refused = await readPretrained(folder).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(refused).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
