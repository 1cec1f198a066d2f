import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { random } from '../base/index.ts';
import { groups } from './groups.ts';
import { decodeImage } from './images/decode.ts';
import { directionOf, fingerprint } from './images/fingerprint.ts';
import type { RawImage } from './images/raw-image.ts';
import { nearDuplicateImages } from './near-duplicate-images.ts';

/** Waves of many lengths: as smooth as a photograph. */
function picture(seed: number, width = 120, height = 90): RawImage {
  const source = random(seed);
  const waves = Array.from({ length: 24 }, (_, index) => {
    const frequency = (2.4 / width) * 2 ** (index % 5);
    return {
      x: source.uniform() * frequency,
      y: source.uniform() * frequency,
      at: source.uniform() * 6,
      of: 24 / (1 + (index % 5)),
    };
  });
  const data = Uint8Array.from({ length: width * height }, (_, place) => {
    const [x, y] = [place % width, Math.floor(place / width)];
    const sum = waves.reduce((all, wave) => all + wave.of * Math.sin(wave.x * x + wave.y * y + wave.at), 128);
    return Math.max(0, Math.min(255, sum));
  });
  return { width, height, channels: 1, data };
}

const file = ({ data, width, height }: RawImage) => sharp(data, { raw: { width, height, channels: 1 } });
const read = async (changed: Sharp): Promise<string> => fingerprint(await decodeImage(await changed.toBuffer()));
const similarity = (one: string, other: string): number => {
  const [first, second] = [directionOf(one), directionOf(other)];
  return first.reduce((sum, value, index) => sum + value * second[index]!, 0);
};

describe('a picture that was', () => {
  const original = picture(1);
  test.each<[string, (image: Sharp) => Sharp]>([
    ['recompressed', (image) => image.jpeg({ quality: 60 })],
    ['halved', (image) => image.resize({ width: 60 }).png()],
    ['brightened', (image) => image.linear(0.9, 20).png()],
    ['blurred', (image) => image.blur(0.8).webp()],
  ])('%s is nearly the same', async (_, change) => {
    expect(similarity(fingerprint(original), await read(change(file(original))))).toBeGreaterThan(0.995);
  });

  test.each<[string, (image: Sharp) => Sharp]>([
    ['mirrored', (image) => image.flop().png()],
    ['turned', (image) => image.rotate(180).png()],
    ['cut to half', (image) => image.extract({ left: 0, top: 0, width: 60, height: 90 }).png()],
  ])('%s is not', async (_, change) => {
    expect(similarity(fingerprint(original), await read(change(file(original))))).toBeLessThan(0.9);
  });
});

describe('the search', () => {
  test('finds every pair that comparing all with all finds', () => {
    const pictures = Array.from({ length: 120 }, (_, index) => picture(index, 48, 36));
    const source = random(5);
    const noisy = (image: RawImage, amount: number): RawImage => ({
      ...image,
      data: image.data.map((value) => Math.max(0, Math.min(255, value + amount * source.normal()))),
    });
    const copies = pictures.slice(0, 40).map((image, index) => noisy(image, index * 0.7));
    const all = [...pictures, ...copies].map(fingerprint);
    const directions = all.map(directionOf);
    const alike = (one: number, other: number): boolean =>
      directions[one]!.reduce((sum, value, index) => sum + value * directions[other]![index]!, 0) >= 0.995;
    const together = groups();
    const search = nearDuplicateImages(together, () => true);
    const found = all.filter((text, row) => search.check({ row, text, label: 0, split: -1 }).kind === 'duplicate');
    const expected = all.filter((_, row) => all.slice(0, row).some((__, other) => alike(row, other)));
    expect(found).toEqual(expected);
    expect(found.length).toBeGreaterThan(10);
    expect(found.length).toBeLessThan(40);
    expect(together.find(120)).toBe(0);
  });

  test('tells apart the same label, another label, another split and what is gone', () => {
    const together = groups();
    const gone = new Set([4]);
    const search = nearDuplicateImages(together, (row) => !gone.has(row));
    const [one, other] = [picture(1), picture(2)].map(fingerprint) as [string, string];
    const check = (row: number, text: string, label: number, split: number) =>
      search.check({ row, text, label, split });
    expect(check(0, one, 0, 0)).toEqual({ kind: 'first' });
    expect(check(1, one, 0, 0)).toMatchObject({ kind: 'duplicate', of: 0 });
    expect(check(2, one, 1, 0)).toMatchObject({ kind: 'conflict', with: 0 });
    expect(search.leaks).toEqual([]);
    expect(check(3, one, 0, 1)).toEqual({ kind: 'first' });
    expect(search.leaks.map(({ kind, row, other: of }) => [kind, row, of])).toEqual([
      ['near', 3, 0],
      ['near', 3, 1],
      ['near', 3, 2],
    ]);
    expect(check(4, other, 0, 0)).toEqual({ kind: 'first' });
    expect(check(5, other, 0, 0)).toEqual({ kind: 'first' });
  });

  test('takes images of one colour for the same', () => {
    const flat = (level: number): string =>
      fingerprint({ width: 20, height: 20, channels: 1, data: new Uint8Array(400).fill(level) });
    const search = nearDuplicateImages(groups(), () => true);
    expect(search.check({ row: 0, text: flat(0), label: 0, split: -1 }).kind).toBe('first');
    expect(search.check({ row: 1, text: flat(250), label: 0, split: -1 }).kind).toBe('duplicate');
    expect(search.check({ row: 2, text: fingerprint(picture(3)), label: 0, split: -1 }).kind).toBe('first');
  });
});
