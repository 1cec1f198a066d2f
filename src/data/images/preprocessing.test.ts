import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { imagePreprocessing, normalizePixels } from './preprocessing.ts';
import { centerCrop, type RawImage } from './raw-image.ts';

interface Stored extends Omit<RawImage, 'data'> {
  readonly data: string;
}
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const { images, cases } = JSON.parse(readFileSync(new URL('fixtures/preprocessing.json', import.meta.url), 'utf8')) as {
  readonly images: readonly Stored[];
  readonly cases: readonly {
    readonly name: string;
    readonly config: unknown;
    readonly image: number;
    readonly dims: readonly number[];
    readonly values: string;
  }[];
};

describe("the model sees what transformers' image processors give it", () => {
  test.each(cases)('$name', ({ config, image, dims, values }) => {
    const preprocessing = imagePreprocessing(config, { channels: 3 });
    const from = images[image]!;
    const pixels = preprocessing.pixels({ ...from, data: bytes(from.data) });
    expect([pixels.channels, pixels.height, pixels.width]).toEqual(dims);
    expect([preprocessing.channels, preprocessing.height, preprocessing.width]).toEqual(dims);
    const actual = normalizePixels(pixels.data, preprocessing.levels);
    const expected = new Float32Array(bytes(values).buffer);
    expect(actual.length).toBe(expected.length);
    let furthest = 0;
    for (const [at, value] of expected.entries()) furthest = Math.max(furthest, Math.abs(actual[at]! - value));
    expect(furthest).toBeLessThanOrEqual(1e-6);
  });
});

const grey: RawImage = { width: 3, height: 2, channels: 1, data: Uint8Array.of(0, 51, 102, 153, 204, 255) };

test('a model of one channel sees grey, with one mean', () => {
  const config = { size: { height: 2, width: 3 }, image_mean: [0.5], image_std: 0.5 };
  const { pixels, levels } = imagePreprocessing(config, { channels: 1 });
  const values = normalizePixels(pixels(grey).data, levels);
  expect(Array.from(values, (value) => Math.round(value * 10) / 10)).toEqual([-1, -0.6, -0.2, 0.2, 0.6, 1]);
});

test('a crop of what is smaller stands in black', () => {
  expect([...centerCrop(grey, { width: 5, height: 2 }).data]).toEqual([0, 0, 51, 102, 0, 0, 153, 204, 255, 0]);
});

describe('what cannot be done is refused by name', () => {
  test.each([
    ['no object', 3, /preprocessor_config\.json: .*expected object/s],
    ['a filter that is none', { size: 4, resample: 9 }, /resample/],
    ['padding', { size: 4, do_pad: true }, /do_pad is not supported/],
    ['an offset', { size: 4, rescale_offset: true }, /rescale_offset is not supported/],
    ['no size', {}, /a batch needs one/],
    ['a size that images decide', { size: { shortest_edge: 8 } }, /a batch needs one/],
    ['two edges', { size: { shortest_edge: 8, longest_edge: 9 } }, /shortest_edge alone/],
    [
      'means of other channels',
      { size: 4, image_mean: [0.5], image_std: [0.5] },
      /image_mean: expected 3 numbers, got 1/,
    ],
    ['a size out of bounds', { size: 100_000 }, /size/],
  ])('%s', (_, config, message) => {
    expect(() => imagePreprocessing(config, { channels: 3 })).toThrow(message);
  });
});
