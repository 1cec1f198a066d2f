import { deriveSeed, type Random, random, sizeOf, type Tensor, tensor } from '../../base/index.ts';
import type { BatchContext } from './batch-step.ts';

/** How images of a batch are mixed with each other: plain data. Where both are given, each batch takes one of them by chance. */
export interface Mixing {
  /** α of mixup (Zhang et al., 2018): images are λ of one and 1 − λ of another, λ from Beta(α, α). */
  readonly mixup?: number;
  /** α of CutMix (Yun et al., 2019): a rectangle of 1 − λ of the area is another image's. */
  readonly cutmix?: number;
}

/** Mixes the images of a batch, anew in every epoch, and their labels in the same shares: plain data. */
export interface MixImages {
  readonly kind: 'mix-images';
  /** The column of images. */
  readonly column: string;
  /** The column of the labels, each the number of a class. */
  readonly labels: string;
  readonly classes: number;
  readonly how: Mixing;
}

/**
 * Puts mixed images [batch, channels, height, width] in the place of those of a column, and in the place of the labels the
 * share of each class, float32 [batch, classes]. In validation (epoch −1) images stay, and a label is all of its class. λ and
 * who is mixed with whom depend on the seed, the epoch and the rows of the batch alone.
 */
export function mixImages(
  batch: Readonly<Record<string, Tensor>>,
  { column, labels, classes, how }: MixImages,
  { indices, epoch, seed }: BatchContext,
): Readonly<Record<string, Tensor>> {
  const images = batch[column]!;
  const truth = Array.from(batch[labels]!.data as ArrayLike<number | bigint>, Number);
  const shares = new Float32Array(truth.length * classes);
  if (epoch < 0) {
    for (const [row, label] of truth.entries()) shares[row * classes + label] = 1;
    return { ...batch, [labels]: tensor('float32', [truth.length, classes], shares) };
  }
  const source = random(deriveSeed(seed, 'mix', epoch, ...Array.from(indices)));
  const isCut = how.mixup === undefined || (how.cutmix !== undefined && source.uniform() < 0.5);
  const drawn = betaOf((isCut ? how.cutmix : how.mixup)!, source);
  const partners = source.shuffle(Int32Array.from(truth.keys()));
  const data = Float32Array.from(images.data as Float32Array);
  const kept = isCut ? cut(data, images, partners, drawn, source) : blend(data, images, partners, drawn);
  for (const [row, label] of truth.entries()) {
    shares[row * classes + label]! += kept;
    shares[row * classes + truth[partners[row]!]!]! += 1 - kept;
  }
  return {
    ...batch,
    [column]: tensor('float32', images.dims, data),
    [labels]: tensor('float32', [truth.length, classes], shares),
  };
}

/** Both give the share that stays of each image. */
function blend(into: Float32Array, { data, dims }: Tensor, partners: Int32Array, share: number): number {
  const size = sizeOf(dims.slice(1));
  const from = data as Float32Array;
  for (const [row, partner] of partners.entries()) {
    for (let at = 0; at < size; at++) {
      into[row * size + at] = share * from[row * size + at]! + (1 - share) * from[partner * size + at]!;
    }
  }
  return share;
}

function cut(into: Float32Array, { data, dims }: Tensor, partners: Int32Array, share: number, source: Random): number {
  const [, channels, height, width] = dims as [number, number, number, number];
  const from = data as Float32Array;
  const side = Math.sqrt(1 - share);
  const [y, x] = [source.uniform() * height, source.uniform() * width];
  const edge = (centre: number, length: number, sign: number): number =>
    Math.min(length, Math.max(0, Math.round(centre + (sign * side * length) / 2)));
  const [top, bottom, left, right] = [edge(y, height, -1), edge(y, height, 1), edge(x, width, -1), edge(x, width, 1)];
  for (const [row, partner] of partners.entries()) {
    for (let channel = 0; channel < channels; channel++) {
      for (let line = top; line < bottom; line++) {
        const [own, other] = [row, partner].map((image) => ((image * channels + channel) * height + line) * width);
        into.set(from.subarray(other! + left, other! + right), own! + left);
      }
    }
  }
  // What lies beyond the edge was not taken.
  return 1 - ((bottom - top) * (right - left)) / (height * width);
}

/** Beta(α, α), of two gamma variates. */
function betaOf(alpha: number, source: Random): number {
  const [one, other] = [gammaOf(alpha, source), gammaOf(alpha, source)];
  return one + other === 0 ? 0.5 : one / (one + other);
}

/** Gamma(α, 1) by Marsaglia and Tsang (2000); below 1 by the next shape times a power of a uniform variate. */
function gammaOf(alpha: number, source: Random): number {
  if (alpha < 1) return gammaOf(alpha + 1, source) * (1 - source.uniform()) ** (1 / alpha);
  const d = alpha - 1 / 3;
  for (;;) {
    const x = source.normal();
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - source.uniform()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
