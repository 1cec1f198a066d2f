import { describe, expect, it } from 'vitest';
import { numbersOf, tensorFrom } from '../../base/index.ts';
import { runBatchSteps } from './batch-step.ts';
import type { Mixing } from './mix-images.ts';

const SIDE = 8;
const IMAGES = 6;
const CLASSES = 3;
/** Every pixel of image n is n. */
const images = Array.from({ length: IMAGES * 2 * SIDE * SIDE }, (_, at) => Math.floor(at / (2 * SIDE * SIDE)));
const truth = Array.from({ length: IMAGES }, (_, row) => row % CLASSES);
const batch = {
  pixels: tensorFrom('float32', images, [IMAGES, 2, SIDE, SIDE]),
  labels: tensorFrom('int64', truth),
};
const rows = Array.from({ length: IMAGES }, (_, row) => row);

function mixed(how: Mixing, { epoch = 0, seed = 1 } = {}) {
  const step = { kind: 'mix-images', column: 'pixels', labels: 'labels', classes: CLASSES, how } as const;
  const { pixels, labels } = runBatchSteps(batch, [step], { indices: rows, epoch, seed });
  const size = 2 * SIDE * SIDE;
  return {
    pixels: rows.map((row) => numbersOf(pixels!).slice(row * size, (row + 1) * size)),
    shares: rows.map((row) => numbersOf(labels!).slice(row * CLASSES, (row + 1) * CLASSES)),
  };
}
const seeds = Array.from({ length: 200 }, (_, seed) => seed);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe.each<Mixing>([{ mixup: 0.4 }, { cutmix: 1 }, { mixup: 0.2, cutmix: 1 }])('%j', (how) => {
  it('does the same for the same rows, seed and epoch, and leaves the batch as it was', () => {
    expect(mixed(how)).toEqual(mixed(how));
    expect(mixed(how, { epoch: 1 })).not.toEqual(mixed(how));
    expect(mixed(how, { seed: 2 })).not.toEqual(mixed(how));
    expect(numbersOf(batch.pixels)).toEqual(images);
  });

  it('gives classes the shares that the images have', () => {
    for (const seed of seeds.slice(0, 50)) {
      const { pixels, shares } = mixed(how, { seed });
      // The mean of the pixels says how much of the other image is in, and which one that is.
      for (const row of rows) {
        expect(sum(shares[row]!)).toBeCloseTo(1, 6);
        const mean = sum(pixels[row]!) / pixels[row]!.length;
        const possible = rows.filter((partner) => {
          const kept = partner === row ? 1 : (mean - partner) / (row - partner);
          const expected = [0, 0, 0];
          expected[truth[row]!]! += kept;
          expected[truth[partner]!]! += 1 - kept;
          return expected.every((share, label) => Math.abs(share - shares[row]![label]!) < 1e-5);
        });
        expect(possible).not.toEqual([]);
      }
    }
  });

  it('leaves validation alone, but for the form of its labels', () => {
    const { pixels, shares } = mixed(how, { epoch: -1 });
    expect(pixels.flat()).toEqual(images);
    expect(shares).toEqual(truth.map((label) => [0, 1, 2].map((other) => Number(other === label))));
  });
});

it('draws the share from a Beta distribution: its mean and variance', () => {
  for (const alpha of [0.2, 1, 4]) {
    const drawn = seeds.flatMap((seed) => {
      const { pixels } = mixed({ mixup: alpha }, { seed });
      // Any row that is mixed with another tells the share; image 0 beside image n has 1 − λ of n.
      const first = pixels[0]![0]!;
      const { pixels: halves } = mixed({ mixup: alpha }, { seed: seed + 1000 });
      return [first, halves[0]![0]!];
    });
    expect(drawn.length).toBe(2 * seeds.length);
    // Over partners 0 to 5, each as likely: E[(1 − λ)] · E[n] and E[(1 − λ)²] · E[n²].
    const mean = sum(drawn) / drawn.length;
    const square = sum(drawn.map((value) => value ** 2)) / drawn.length;
    expect(Math.abs(mean - 0.5 * 2.5)).toBeLessThan(0.25);
    const second = 0.25 + 1 / (4 * (2 * alpha + 1));
    expect(Math.abs(square - (second * 55) / 6) / ((second * 55) / 6)).toBeLessThan(0.25);
  }
});

it('cuts rectangles: what is of the other image is as wide in every line', () => {
  for (const seed of seeds.slice(0, 20)) {
    const { pixels } = mixed({ cutmix: 1 }, { seed });
    for (const row of rows) {
      const lines = Array.from({ length: 2 * SIDE }, (_, line) =>
        pixels[row]!.slice(line * SIDE, (line + 1) * SIDE)
          .map((value) => (value === row ? '.' : 'x'))
          .join(''),
      );
      const touched = new Set(lines.filter((line) => line.includes('x')));
      expect(touched.size).toBeLessThanOrEqual(1);
      for (const line of touched) expect(line).toMatch(/^\.*x+\.*$/);
    }
  }
});
