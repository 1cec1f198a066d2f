import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeDigits } from '../images/digits.ts';
import { answerOf, jsonOf, lathe, temporaryFolder, writeMessages } from './lathe.ts';

const folder = temporaryFolder();

interface Result {
  readonly task: string;
  readonly examples: number;
  readonly metrics: Readonly<Record<string, number>>;
}

const run = <Shape = Result>(...words: string[]): Promise<Shape> => answerOf<Shape>(folder, words);
const refused = async (...words: string[]): Promise<string> => {
  const ended = await lathe(folder, words);
  expect(ended.code).not.toBe(0);
  return ended.stderr;
};

describe('from a folder of images to a package that predicts', () => {
  let trained: Result;
  beforeAll(async () => {
    await writeDigits(join(folder, 'digits'), { each: 100, digits: [0, 1, 7] });
    trained = await run('train', '--data', 'digits', '--epochs', '8', '--out', 'model', '--threads', '1');
  }, 300_000);

  it('real digits are told apart', () => {
    expect(trained.task).toBe('image-classification');
    expect(trained.metrics.accuracy).toBeGreaterThan(0.9);
  });

  it('the package says what happens to an image, in the words of Hugging Face', () => {
    const read = (file: string) => JSON.parse(readFileSync(join(folder, 'model', file), 'utf8'));
    expect(read('preprocessor_config.json')).toMatchObject({
      do_resize: true,
      size: { height: 28, width: 28 },
      do_normalize: true,
      image_mean: [0.5],
    });
    expect(read('config.json')).toMatchObject({ model_type: 'resnet', id2label: { 0: '0', 1: '1', 2: '7' } });
    expect(read('lathe.json')).toMatchObject({
      task: 'image-classification',
      columns: { image: 'image', label: 'label' },
      pipeline: { input: 'image', features: { kind: 'image', input: 'pixel_values', channels: 1 } },
    });
    expect(readFileSync(join(folder, 'model', 'README.md'), 'utf8')).toContain('pipeline_tag: image-classification');
  });

  it('learns from images that are mixed with each other, and measures on whole ones', async () => {
    const mixing = ['--mixup', '0.2', '--cutmix', '1'];
    const words = ['train', '--data', 'digits', '--epochs', '8', ...mixing, '--out', 'mixed', '--threads', '1'];
    const mixed = await run(...words);
    expect(mixed.metrics.accuracy).toBeGreaterThan(0.85);
    const { lineage } = JSON.parse(readFileSync(join(folder, 'mixed', 'lathe.json'), 'utf8'));
    expect(lineage.settings.augmentation.mixing).toEqual({ mixup: 0.2, cutmix: 1 });
  }, 300_000);

  it('evaluation of the same images gives the same numbers', async () => {
    const measured = await run('evaluate', 'model', '--data', 'digits', '--split', 'test');
    expect(measured).toMatchObject({ task: trained.task, examples: trained.examples, metrics: trained.metrics });
  });

  it('becomes a model of 8 bits with scales from its own images', async () => {
    interface Quantized {
      readonly variant: string;
      readonly batchInvariant: boolean;
      readonly bytes: { readonly source: number; readonly variant: number };
      readonly score: { readonly kept: number };
    }
    const words = ['quantize', 'model', '--scheme', 'static', '--data', 'digits', '--budget', '0.9', '--out', 'int8'];
    const quantized = await run<Quantized>(...words);
    expect(quantized).toMatchObject({ variant: 'int8', batchInvariant: true });
    expect(quantized.score.kept).toBeGreaterThanOrEqual(0.9);
    expect(quantized.bytes.variant).toBeLessThan(quantized.bytes.source / 2.5);
    const measured = await run('evaluate', 'int8', '--variant', 'int8', '--data', 'digits', '--split', 'test');
    expect(measured.metrics.accuracy).toBeGreaterThan(0.85);
    expect(await refused(...words.filter((word) => !['--data', 'digits', '--budget', '0.9'].includes(word)))).toMatch(
      /--scheme static needs --data/,
    );
  }, 120_000);

  it('evaluation of a folder takes all of it, and writes a page', async () => {
    await writeDigits(join(folder, 'few'), { each: 5, digits: [1, 7] });
    const measured = await run('evaluate', 'model', '--data', 'few', '--out', 'evaluation');
    expect(measured.examples).toBe(10);
    // A folder of sevens that is called "1": mistakes, with pictures.
    await writeDigits(join(folder, 'wrong'), { each: 6, digits: [0, 7] });
    renameSync(join(folder, 'wrong', '7'), join(folder, 'wrong', '1'));
    await run('evaluate', 'model', '--data', 'wrong', '--out', 'evaluation');
    const page = readFileSync(join(folder, 'evaluation', 'report.html'), 'utf8');
    expect(page).toContain('<th scope="col">Image</th>');
    expect(page).toContain('<img src="data:image/jpeg;base64,');
  });

  it('files are predicted, of any format and size', async () => {
    const zero = join(folder, 'digits', '0', '0003.png');
    const large = await sharp(zero).resize(300, 300).toColourspace('srgb').jpeg().toBuffer();
    writeFileSync(join(folder, 'zero.jpg'), large);
    interface Predictions {
      readonly predictions: readonly { label: string; score: number; top: { label: string; score: number }[] }[];
    }
    const { predictions } = await run<Predictions>('predict', 'model', 'digits/0/0003.png', 'zero.jpg');
    for (const { label, score, top } of predictions) {
      expect(label).toBe('0');
      expect(top).toHaveLength(3);
      expect(top[0]).toEqual({ label, score });
    }
    expect(Math.abs(predictions[0]!.score - predictions[1]!.score)).toBeLessThan(0.2);
  });

  it('transformers.js opens the package untouched, and says the same', async () => {
    const { env, pipeline, RawImage } = await import('@huggingface/transformers');
    Object.assign(env, { localModelPath: folder, allowRemoteModels: false, useFSCache: false });
    const classify = await pipeline('image-classification', 'model', { dtype: 'fp32' });
    const file = join(folder, 'digits', '1', '0007.png');
    const theirs = await classify(await RawImage.read(file), { top_k: 3 });
    await classify.dispose();
    const ours = await run<{ predictions: { top: { label: string; score: number }[] }[] }>('predict', 'model', file);
    const { top } = ours.predictions[0]!;
    for (const [place, { label, score }] of [theirs].flat(2).entries()) {
      expect(label).toBe(top[place]!.label);
      expect(Math.abs(score - top[place]!.score)).toBeLessThan(1e-4);
    }
  });

  it.each([
    ['predict model text.png', /text\.png: cannot be read as an image/],
    ['predict model none.png', /none\.png": no such file/],
    ['predict model text.png --lines', /the model sees images/],
    ['predict model', /nothing to predict/],
    ['train --data digits --arch bert-mini --out x', /--arch bert-mini: it is for texts.*\s+Choose one of resnet-8/],
    ['train --data messages.csv --mixup 0.2 --out x', /--mixup is for images/],
    ['train --data digits --task text-classification --out x', /"digits" holds images/],
    ['evaluate model --data texts.csv', /texts\.csv/],
  ])('what cannot be done is said: lathe %s', async (words, message) => {
    writeFileSync(join(folder, 'text.png'), 'no image');
    writeFileSync(join(folder, 'texts.csv'), 'text,label\n');
    writeMessages(join(folder, 'messages.csv'));
    expect(await refused(...words.split(' '))).toMatch(message);
  });
});

describe('prepared images', () => {
  it('say what they are for, and are found from wherever the command is run', async () => {
    await writeDigits(join(folder, 'photos'), { each: 40, digits: [0, 1] });
    const { rows } = await run<{ rows: { kept: number } }>('data', 'prepare', 'photos', '--out', 'prepared/photos');
    expect(rows.kept).toBe(80);
    const data = join(folder, 'prepared', 'photos');
    const elsewhere = temporaryFolder();
    const ended = await lathe(elsewhere, ['train', '--data', data, '--epochs', '1', '--out', 'model', '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(jsonOf<Result>(ended).task).toBe('image-classification');
  });
});
