import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type RawImage, withChannels } from './raw-image.ts';
import { type Resample, resize } from './resize.ts';

interface Case {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: string;
  readonly grey?: string;
  readonly results: readonly {
    readonly width: number;
    readonly height: number;
    readonly resample: Resample;
    readonly data: string;
  }[];
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const { cases } = JSON.parse(readFileSync(new URL('fixtures/resize.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly Case[];
};

describe.each(cases)('an image of $width × $height × $channels', (from) => {
  const image: RawImage = { ...from, data: bytes(from.data) };

  test.each(from.results)('$resample to $width × $height has the pixels that Pillow makes', (expected) => {
    const { width, height, resample, data } = expected;
    const resized = resize(image, { width, height }, resample);
    expect([resized.width, resized.height, resized.channels]).toEqual([width, height, from.channels]);
    expect(Buffer.from(resized.data).equals(bytes(data))).toBe(true);
  });

  test.runIf(from.grey !== undefined)('has the grey that Pillow gives it', () => {
    expect(Buffer.from(withChannels(image, 1).data).equals(bytes(from.grey!))).toBe(true);
  });
});

test('an image that has the size already stays as it is', () => {
  const image: RawImage = { width: 2, height: 1, channels: 1, data: Uint8Array.of(7, 9) };
  expect(resize(image, { width: 2, height: 1 }, 'bicubic')).toBe(image);
});

test('grey becomes three equal channels', () => {
  const image: RawImage = { width: 2, height: 1, channels: 1, data: Uint8Array.of(7, 9) };
  expect([...withChannels(image, 3).data]).toEqual([7, 7, 7, 9, 9, 9]);
});
