import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { autoContrast, brightness, contrast, equalize, posterize, saturation, sharpness, solarize } from './colour.ts';
import type { RawImage } from './raw-image.ts';

interface Stored extends Omit<RawImage, 'data'> {
  readonly data: string;
  readonly results: readonly {
    readonly operation: keyof typeof OPERATIONS;
    readonly amount: number;
    readonly data: string;
  }[];
}
const OPERATIONS = { autoContrast, brightness, contrast, equalize, posterize, saturation, sharpness, solarize };
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const { images } = JSON.parse(readFileSync(new URL('fixtures/colour.json', import.meta.url), 'utf8')) as {
  readonly images: readonly Stored[];
};

describe.each(images)(
  'an image of $channels channels has the pixels that Pillow makes',
  ({ results, data, ...size }) => {
    test.each(results)('$operation $amount', ({ operation, amount, data: expected }) => {
      const changed = OPERATIONS[operation]({ ...size, data: bytes(data) }, amount);
      expect(Buffer.from(changed.data).equals(bytes(expected))).toBe(true);
    });
  },
);
