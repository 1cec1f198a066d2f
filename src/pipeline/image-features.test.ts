import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatherBatch } from '../data/index.ts';
import { GraphBuilder } from '../graph/index.ts';
import { openSession } from '../runtime/index.ts';
import { type ImageFeatures, loadFeatures, pipelineOver, TASKS } from './index.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-image-features-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const PREPROCESSOR = { size: { height: 2, width: 2 }, do_normalize: false, resample: 0 };
const spec = { kind: 'image', input: 'pixel_values', channels: 3 } as const;
const load = async (text = JSON.stringify(PREPROCESSOR)): Promise<ImageFeatures> =>
  (await loadFeatures(spec, async () => text)) as ImageFeatures;

async function png(name: string, colour: string): Promise<string> {
  const path = join(folder, name);
  const image = sharp({ create: { width: 5, height: 3, channels: 3, background: colour } });
  await writeFile(path, await image.png().toBuffer());
  return path;
}

describe('features of images', () => {
  it('are floats [batch, channels, height, width], kept in 8 bits until a batch is made', async () => {
    const { extract } = await load();
    const grey = { width: 2, height: 2, channels: 1, data: Uint8Array.of(0, 51, 102, 255) } as const;
    const { dataset, truncated } = await extract([await png('red.png', '#ff0000'), grey]);
    expect([dataset.size, truncated]).toEqual([2, 0]);
    expect(dataset.columns.pixel_values).toMatchObject({ kind: 'pixels', dims: [3, 2, 2] });
    expect(dataset.columns.pixel_values!.kind === 'pixels' && dataset.columns.pixel_values!.values.length).toBe(24);
    const { pixel_values } = gatherBatch(dataset, [1, 0]);
    expect(pixel_values!.dims).toEqual([2, 3, 2, 2]);
    const plane = [0, 0.2, 0.4, 1].map(Math.fround);
    expect([...(pixel_values!.data as Float32Array)]).toEqual([
      ...plane,
      ...plane,
      ...plane,
      1,
      1,
      1,
      1,
      ...new Array(8).fill(0),
    ]);
  });

  it('name the file that cannot be read', async () => {
    const { extract } = await load();
    const text = join(folder, 'text.png');
    await writeFile(text, 'no image');
    await expect(extract([text])).rejects.toThrow(`${text}: cannot be read as an image`);
    await expect(extract([join(folder, 'none.png')])).rejects.toThrow(/none\.png": no such file/);
    await expect(extract([new Uint8Array(0)])).rejects.toThrow('image 1: an empty file');
  });

  it('refuse a file that is no longer the one that was prepared', async () => {
    const { extract } = await load();
    const path = await png('kept.png', '#00ff00');
    const sha256 = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    expect((await extract([{ path, sha256 }])).dataset.size).toBe(1);
    await png('kept.png', '#ff0000');
    await expect(extract([{ path, sha256 }])).rejects.toThrow(/kept\.png" has changed since the data were prepared/);
  });

  it('refuse a preprocessor_config.json that is no JSON', async () => {
    await expect(load('{')).rejects.toThrow('preprocessor_config.json: is not JSON');
  });
});

describe('a pipeline of images', () => {
  it('answers with the likeliest labels, whatever the number of images', async () => {
    // The mean of each channel is the logit of its class.
    const graph = new GraphBuilder();
    const pixels = graph.input('pixel_values', 'float32', ['batch', 3, 2, 2]);
    const pooled = graph.node('GlobalAveragePool', [pixels])[0]!;
    graph.output(graph.squeeze(pooled, [2, 3]), { dtype: 'float32', shape: ['batch', 3] }, 'logits');
    const features = await load();
    const pipeline = pipelineOver({
      task: { ...TASKS['image-classification'], encodedAtATime: 2 },
      labels: ['red', 'green', 'blue'],
      pipeline: {
        input: 'image',
        steps: [],
        features: features.spec,
        output: { name: 'logits', scores: 'softmax' },
        settings: { topK: 2 },
      },
      features,
      session: await openSession(graph.build()),
    });
    const files = await Promise.all(
      ['#0000ff', '#00ff00', '#ff0000', '#004000', '#000040'].map((colour, index) => png(`${index}.png`, colour)),
    );
    const progress: number[] = [];
    const answers = await pipeline.predict(files, { onProgress: (done) => progress.push(done) });
    await pipeline.close();
    expect(answers.map(({ label }) => label)).toEqual(['blue', 'green', 'red', 'green', 'blue']);
    expect(progress).toEqual([2, 4, 5]);
    const [{ label, score, top }] = answers as [(typeof answers)[0]];
    expect(top).toHaveLength(2);
    expect(top[0]).toEqual({ label, score });
    expect(score).toBeCloseTo(Math.E / (Math.E + 2), 6);
    expect(TASKS['image-classification'].answerSchema.parse(answers[0])).toEqual(answers[0]);
  });

  it('refuses a model of texts', async () => {
    const texts = { spec: { kind: 'n-grams' }, extract: () => ({}) };
    expect(() => TASKS['image-classification'].encode(texts as never, [], { settings: {} })).toThrow(
      'image-classification needs a model of images, got one of n-grams',
    );
    const features = await load();
    expect(() => TASKS['text-classification'].encode(features, [{ text: 'x' }], { settings: {} })).toThrow(
      'a model of images cannot read texts',
    );
  });
});
