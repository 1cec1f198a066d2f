import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeImage, imageFacts } from './decode.ts';

interface Stored {
  readonly name: string;
  readonly file: string;
  readonly width?: number;
  readonly height?: number;
  readonly channels?: number;
  readonly pixels?: string;
}
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const stored = JSON.parse(readFileSync(new URL('fixtures/files.json', import.meta.url), 'utf8')) as readonly Stored[];
const fileOf = (name: string): Uint8Array => bytes(stored.find((one) => one.name === name)!.file);

describe('an image file has the pixels that Pillow finds in it', () => {
  test.each(stored.filter(({ pixels }) => pixels !== undefined))('$name', async (expected) => {
    const { width, height, channels, pixels, name } = expected;
    const image = await decodeImage(bytes(expected.file), { name });
    expect([image.width, image.height, image.channels]).toEqual([width, height, channels]);
    expect(Buffer.from(image.data).equals(bytes(pixels!))).toBe(true);
    expect(await imageFacts(bytes(expected.file))).toMatchObject({ width, height });
  });
});

const png = async (data: Uint8Array | Uint16Array, width: number, channels: 1 | 2 | 3 | 4): Promise<Uint8Array> =>
  sharp(data, { raw: { width, height: data.length / width / channels, channels } })
    .toColourspace(data instanceof Uint16Array ? 'grey16' : channels < 3 ? 'b-w' : 'srgb')
    .png()
    .toBuffer();

describe('what is no plain image of 8 bits', () => {
  test('what is transparent becomes white, half of it half', async () => {
    const file = await png(Uint8Array.of(255, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 128), 3, 4);
    expect([...(await decodeImage(file)).data]).toEqual([255, 0, 0, 255, 255, 255, 127, 127, 127]);
  });

  test('grey that is transparent stays grey', async () => {
    const { channels, data } = await decodeImage(await png(Uint8Array.of(10, 255, 10, 0), 2, 2));
    expect([channels, ...data]).toEqual([1, 10, 255]);
  });

  test('16 bits become 8', async () => {
    const { channels, data } = await decodeImage(await png(Uint16Array.of(0, 0x3000, 0x8000, 65535), 2, 1));
    expect([channels, ...data]).toEqual([1, 0, 48, 128, 255]);
  });

  test('CMYK becomes red, green and blue', async () => {
    const { channels, data, width, height } = await decodeImage(fileOf('cmyk.jpg'));
    expect([channels, width, height]).toEqual([3, 18, 12]);
    // The corners of the gradient: dark, red, green, and light.
    const at = (x: number, y: number): number[] => [...data.subarray((y * 18 + x) * 3, (y * 18 + x) * 3 + 3)];
    expect(Math.max(...at(0, 0))).toBeLessThan(60);
    expect(at(17, 0)[0]).toBeGreaterThan(at(17, 0)[1]! + 80);
    expect(at(0, 11)[1]).toBeGreaterThan(at(0, 11)[0]! + 80);
  });

  test('AVIF is read', async () => {
    const file = await sharp(fileOf('colours.png')).avif({ lossless: true }).toBuffer();
    expect(await imageFacts(file)).toEqual({ format: 'avif', width: 18, height: 12 });
    expect((await decodeImage(file)).channels).toBe(3);
  });
});

describe('what cannot be used is refused by its name', () => {
  const bomb = (): Promise<Uint8Array> =>
    sharp({ create: { width: 12_000, height: 9000, channels: 3, background: '#fff' } })
      .png()
      .toBuffer();
  test.each([
    ['empty', async () => new Uint8Array(0), /x\.png: an empty file/],
    ['text', async () => new TextEncoder().encode('hello there'), /x\.png: cannot be read as an image/],
    ['cut off', async () => fileOf('colours.jpg').slice(0, 500), /x\.png: cannot be read as an image/],
    ['the head alone', async () => fileOf('colours.png').slice(0, 40), /x\.png: cannot be read as an image/],
    ['a bomb', bomb, /x\.png: 12000 × 9000 pixels, expected at most 100,000,000/],
    [
      'a drawing',
      async () => new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      /x\.png: svg images are not read/,
    ],
  ] as const)('%s', async (_, file, message) => {
    await expect(decodeImage(await file(), { name: 'x.png' })).rejects.toThrow(message);
  });

  test('more pixels than asked for', async () => {
    await expect(decodeImage(fileOf('colours.png'), { maxPixels: 200 })).rejects.toThrow(/18 × 12 pixels/);
  });
});
