import { deriveSeed, LatheError, random, sizeOf, type Tensor, tensor } from '../../base/index.ts';
import { type Augmentation, augmented } from '../images/augment.ts';
import { normalizePixels } from '../images/preprocessing.ts';
import { pixelsOf } from '../tensor-dataset.ts';
import type { BatchContext } from './batch-step.ts';

/** Changes images at random, anew in every epoch: plain data. */
export interface AugmentImages {
  readonly kind: 'augment-images';
  /** The column of pixels. */
  readonly column: string;
  readonly how: Augmentation;
}

/**
 * Puts changed images in the place of those of a column of pixels. What happens to an image depends on the seed, the epoch and
 * the image alone; in validation (epoch −1) nothing does.
 */
export function augmentImages(
  batch: Readonly<Record<string, Tensor>>,
  { column: name, how }: AugmentImages,
  { indices, epoch, seed, dataset }: BatchContext,
): Readonly<Record<string, Tensor>> {
  if (epoch < 0) return batch;
  const column = dataset?.columns[name];
  if (column?.kind !== 'pixels') {
    throw new LatheError(
      'internal',
      `augment-images: expected a column of pixels "${name}", got ${column?.kind ?? 'none'}`,
    );
  }
  const { dims, levels } = column;
  const [channels, height, width] = dims as [1 | 3, number, number];
  const size = sizeOf(dims);
  const data = new Float32Array(indices.length * size);
  for (let row = 0; row < indices.length; row++) {
    const index = indices[row]!;
    const image = { width, height, channels, data: pixelsOf(column, index) };
    const changed = augmented(image, how, random(deriveSeed(seed, 'augment', epoch, index)));
    normalizePixels(changed.data, levels, data.subarray(row * size, (row + 1) * size));
  }
  return { ...batch, [name]: tensor('float32', [indices.length, ...dims], data) };
}
