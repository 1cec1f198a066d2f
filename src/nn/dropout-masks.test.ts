import { describe, expect, it } from 'vitest';
import type { Tensor } from '../base/index.ts';
import { type DropoutMask, maskSource } from './dropout-masks.ts';

const masks: readonly DropoutMask[] = [
  { name: 'a', shape: ['batch*sequence', 384], probability: 0.1 },
  { name: 'b', shape: ['batch*sequence', 384], probability: 0.1 },
  { name: 'c', shape: ['batch', 6, 'sequence', 'sequence'], probability: 0.25 },
];
const sizes = { batch: 8, sequence: 128 };
const source = maskSource(masks, { seed: 7 });
const maskOf = (name: string, step: number, from = source): Tensor => from(step, sizes).get(name)!;

/** 1 where an element was dropped. */
const dropped = (mask: Tensor): Uint8Array =>
  new Uint8Array((mask.data as Float32Array).length).map((_, index) => (mask.data[index] === 0 ? 1 : 0));

function correlation(a: Uint8Array, b: Uint8Array, lag = 0): number {
  const count = a.length - lag;
  let [sumA, sumB, both] = [0, 0, 0];
  for (let index = 0; index < count; index++) {
    sumA += a[index]!;
    sumB += b[index + lag]!;
    both += a[index]! * b[index + lag]!;
  }
  const [meanA, meanB] = [sumA / count, sumB / count];
  return (both / count - meanA * meanB) / Math.sqrt(meanA * (1 - meanA) * meanB * (1 - meanB));
}

describe('dropout masks', () => {
  it('have the dimensions that the sizes give, and only 0 and 1 / (1 − p)', () => {
    const made = source(0, sizes);
    expect([...made].map(([name, { dims }]) => [name, dims])).toEqual([
      ['a', [1024, 384]],
      ['b', [1024, 384]],
      ['c', [8, 6, 128, 128]],
    ]);
    expect(new Set(made.get('a')!.data as Float32Array)).toEqual(new Set([0, Math.fround(1 / 0.9)]));
    expect(new Set(made.get('c')!.data as Float32Array)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
  });

  it.each([0, 1, 2, 1000])('drop the share they should in step %d', (step) => {
    for (const { name, probability } of masks) {
      const elements = dropped(maskOf(name, step));
      const share = elements.reduce((sum, value) => sum + value, 0) / elements.length;
      expect(Math.abs(share - probability)).toBeLessThan(
        5 * Math.sqrt((probability * (1 - probability)) / elements.length),
      );
    }
  });

  it('do not depend on one another: neighbours, rows, nodes, steps', () => {
    const a = dropped(maskOf('a', 1));
    const bound = 5 / Math.sqrt(a.length - 384 * 10);
    for (const lag of [1, 2, 16, 383, 384, 3840]) expect(Math.abs(correlation(a, a, lag))).toBeLessThan(bound);
    expect(Math.abs(correlation(a, dropped(maskOf('b', 1))))).toBeLessThan(bound);
    for (const step of [2, 3, 1000]) expect(Math.abs(correlation(a, dropped(maskOf('a', step))))).toBeLessThan(bound);
    expect(Math.abs(correlation(a, dropped(maskOf('c', 1)).subarray(0, a.length)))).toBeLessThan(bound);
  });

  it('drop every element of a node as often over the steps', () => {
    const steps = 2000;
    const elements = 64;
    const counts = new Float64Array(elements);
    for (let step = 0; step < steps; step++) {
      const mask = maskOf('a', step).data as Float32Array;
      for (let index = 0; index < elements; index++) if (mask[index] === 0) counts[index]! += 1;
    }
    for (const count of counts) expect(Math.abs(count / steps - 0.1)).toBeLessThan(5 * Math.sqrt(0.09 / steps));
  });

  it('depend on the seed, the name and the step alone, not on what was made before', () => {
    const resumed = maskSource(masks, { seed: 7 });
    resumed(3, { batch: 32, sequence: 128 });
    const bytes = (mask: Tensor): Buffer => {
      const { buffer, byteOffset, byteLength } = mask.data as Float32Array;
      return Buffer.from(buffer, byteOffset, byteLength);
    };
    const mask = bytes(maskOf('a', 5));
    expect(mask.equals(bytes(maskOf('a', 5, resumed)))).toBe(true);
    expect(mask.equals(bytes(maskOf('a', 6)))).toBe(false);
    expect(mask.equals(bytes(maskOf('b', 5)))).toBe(false);
    expect(mask.equals(bytes(maskOf('a', 5, maskSource(masks, { seed: 8 }))))).toBe(false);
  });

  it('refuse a dimension without a size', () => {
    expect(() => source(0, { batch: 2 })).toThrow(
      'dropout mask "a" [batch*sequence, 384]: no size for batch*sequence, got sizes for batch',
    );
  });
});
