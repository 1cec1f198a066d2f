import { describe, expect, it } from 'vitest';
import { random } from '../../base/index.ts';
import { AUGMENTATIONS, type Augmentation, augmented } from '../images/augment.ts';
import type { RawImage } from '../images/raw-image.ts';
import { composed, warp } from '../images/warp.ts';
import { gatherBatch, tensorDataset } from '../tensor-dataset.ts';
import { runBatchSteps } from './batch-step.ts';

const SIDE = 16;
const IMAGES = 40;
const levels = Float32Array.from({ length: 3 * 256 }, (_, at) => (at % 256) / 255);
/** Bright squares on a dark ground, each at a place of its own. */
const values = Uint8Array.from({ length: IMAGES * SIDE * SIDE * 3 }, (_, at) => {
  const [image, x, y] = [
    Math.floor(at / (SIDE * SIDE * 3)),
    Math.floor(at / 3) % SIDE,
    Math.floor(at / 3 / SIDE) % SIDE,
  ];
  return Math.abs(x - 5 - (image % 6)) < 3 && Math.abs(y - 6 - (image % 4)) < 3 ? 200 - (at % 3) * 40 : 20;
});
const dataset = tensorDataset({
  pixel_values: { kind: 'pixels', values, dims: [3, SIDE, SIDE], levels, dtype: 'float32' },
});
const run = (indices: number[], how: Augmentation, { epoch = 0, seed = 7 } = {}): Float32Array => {
  const rows = Int32Array.from(indices);
  const step = { kind: 'augment-images', column: 'pixel_values', how } as const;
  const batch = gatherBatch(dataset, rows);
  return runBatchSteps(batch, [step], { indices: rows, epoch, seed, dataset }).pixel_values!.data as Float32Array;
};
const imageOf = (index: number): RawImage => ({
  width: SIDE,
  height: SIDE,
  channels: 3,
  data: values.subarray(index * SIDE * SIDE * 3, (index + 1) * SIDE * SIDE * 3),
});

describe.each(Object.entries(AUGMENTATIONS).slice(1))('%s', (_, how) => {
  it('does the same for the same seed, epoch and image, whatever the batch', () => {
    const [alone, beside] = [run([5], how), run([9, 5, 3], how)];
    expect(beside.subarray(alone.length, 2 * alone.length)).toEqual(alone);
    expect(run([5], how)).toEqual(alone);
  });

  it('does something else in another epoch, for another seed and for most images', () => {
    const [now, later, other] = [run([5], how), run([5], how, { epoch: 1 }), run([5], how, { seed: 8 })];
    expect(later).not.toEqual(now);
    expect(other).not.toEqual(now);
    const before = gatherBatch(
      dataset,
      Array.from({ length: IMAGES }, (_, index) => index),
    ).pixel_values!.data as Float32Array;
    const after = run(
      Array.from({ length: IMAGES }, (_, index) => index),
      how,
    );
    const size = SIDE * SIDE * 3;
    const changed = Array.from({ length: IMAGES }, (_, index) => index).filter((index) =>
      after.subarray(index * size, (index + 1) * size).some((value, at) => value !== before[index * size + at]),
    );
    expect(changed.length).toBeGreaterThan(IMAGES * 0.9);
  });

  it('leaves validation, and what is stored, as they are', () => {
    const stored = values.slice();
    expect(run([4], how, { epoch: -1 })).toEqual(gatherBatch(dataset, [4]).pixel_values!.data);
    run([4], how);
    expect(values).toEqual(stored);
  });

  it('keeps most of an image where it was', () => {
    const means = Array.from({ length: IMAGES }, (_, index) => index).map((index) => {
      const after = augmented(imageOf(index), how, random(index));
      return [imageOf(index), after].map(({ data }) => data.reduce((sum, level) => sum + level, 0) / data.length);
    });
    const kept = means.filter(([before, after]) => after! > before! / 2 && after! < before! * 2);
    expect(kept.length).toBeGreaterThan(IMAGES * 0.8);
  });
});

describe('a mirror image', () => {
  it('is made of half of the images, exactly', () => {
    const flipped = Array.from({ length: IMAGES }, (_, index) => {
      const before = imageOf(0);
      const { data } = augmented(before, { flip: true }, random(index));
      if (data.every((level, at) => level === before.data[at])) return false;
      const mirrored = before.data.map((_, at) => {
        const [row, column, channel] = [Math.floor(at / 3 / SIDE), Math.floor(at / 3) % SIDE, at % 3];
        return before.data[(row * SIDE + SIDE - 1 - column) * 3 + channel]!;
      });
      expect(data).toEqual(mirrored);
      return true;
    }).filter(Boolean).length;
    expect(flipped).toBeGreaterThan(IMAGES * 0.25);
    expect(flipped).toBeLessThan(IMAGES * 0.75);
  });
});

describe('warping', () => {
  const image: RawImage = { width: 3, height: 2, channels: 1, data: Uint8Array.of(0, 100, 200, 50, 150, 250) };
  it.each([
    ['by a whole pixel, with the edge beyond', [1, 0, 1, 0, 1, 0], [100, 200, 200, 150, 250, 250]],
    ['by half a pixel, in between', [1, 0, 0.5, 0, 1, 0], [50, 150, 200, 100, 200, 250]],
    ['by half a turn', [-1, 0, 0, 0, -1, 0], [250, 150, 50, 200, 100, 0]],
    ['into the middle', [0, 0, 0, 0, 0, 0], [125, 125, 125, 125, 125, 125]],
  ] as const)('%s', (_, map, expected) => {
    expect([...warp(image, map).data]).toEqual(expected);
  });

  it('two maps after each other are one', () => {
    const turn = [0, -1, 0, 1, 0, 0] as const;
    const fourTurns = composed(turn, composed(turn, composed(turn, turn)));
    expect(fourTurns.map((value) => value + 0)).toEqual([1, 0, 0, 0, 1, 0]);
    expect(composed([2, 0, 1, 0, 2, 0], [1, 0, 5, 0, 1, 3])).toEqual([2, 0, 11, 0, 2, 6]);
  });
});
