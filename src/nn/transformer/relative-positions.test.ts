import { expect, it } from 'vitest';
import { bucketOf } from './relative-positions.ts';

// MPNetEncoder.relative_position_bucket of transformers, for all distances from −600 to 600: where the bucket changes.
const BORDERS = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91];

it('has the buckets of PyTorch on both sides, borders included', () => {
  for (let distance = -600; distance <= 600; distance++) {
    const steps = BORDERS.filter((border) => border <= Math.abs(distance)).length;
    expect(bucketOf(distance)).toBe(distance > 0 ? 16 + steps : steps);
  }
});
