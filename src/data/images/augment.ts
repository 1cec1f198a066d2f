import type { Random } from '../../base/index.ts';
import type { Mixing } from '../batch-steps/mix-images.ts';
import { autoContrast, brightness, contrast, equalize, posterize, saturation, sharpness, solarize } from './colour.ts';
import type { RawImage } from './raw-image.ts';
import { type Affine, composed, IDENTITY, warp } from './warp.ts';

/** How images are changed at random while a model learns: plain data. What is left out does not happen. */
export interface Augmentation {
  /** Half of the images are mirrored. */
  readonly flip?: boolean;
  /** A part of the image takes its place: of so much of its area, and with sides of such a ratio (Szegedy et al., 2014). */
  readonly crop?: { readonly area: readonly [number, number]; readonly ratio: readonly [number, number] };
  /** Degrees to either side, at most. */
  readonly rotate?: number;
  /** Share of the sides by which the image is moved, at most. */
  readonly shift?: number;
  /** Brightness, contrast and saturation are multiplied by 1 ± so much, at most. */
  readonly colour?: number;
  /** Cubuk et al. (2019): so many operations of their list, of a magnitude from 0 to 30. */
  readonly randAugment?: { readonly operations: number; readonly magnitude: number };
  /** Images of a batch are mixed with each other, after all else. */
  readonly mixing?: Mixing;
}

/** What `--augment` takes. */
export const AUGMENTATIONS = {
  none: {},
  light: { crop: { area: [0.75, 1], ratio: [0.9, 1 / 0.9] }, rotate: 7, shift: 0.05, colour: 0.15 },
  randaugment: { crop: { area: [0.5, 1], ratio: [3 / 4, 4 / 3] }, randAugment: { operations: 2, magnitude: 9 } },
} as const satisfies Readonly<Record<string, Augmentation>>;
export type AugmentationName = keyof typeof AUGMENTATIONS;
export const AUGMENTATION_NAMES = Object.keys(AUGMENTATIONS) as readonly AugmentationName[];

/** An image changed at random; of its own size. */
export function augmented(image: RawImage, how: Augmentation, source: Random): RawImage {
  let changed = warp(image, placement(image, how, source));
  if (how.colour !== undefined) {
    const factor = (): number => 1 + between(source, -how.colour!, how.colour!);
    for (const change of source.shuffle([brightness, contrast, saturation])) changed = change(changed, factor());
  }
  for (let index = 0; index < (how.randAugment?.operations ?? 0); index++) {
    const operation = OPERATIONS[source.integer(OPERATIONS.length)]!;
    const sign = source.uniform() < 0.5 ? -1 : 1;
    changed = operation(changed, how.randAugment!.magnitude / MOST, sign);
  }
  return changed;
}

/** Crop, mirror image, rotation and shift in one map, so that pixels are mixed only once. */
function placement(image: RawImage, how: Augmentation, source: Random): Affine {
  const { width, height } = image;
  let map = IDENTITY;
  if (how.shift !== undefined) {
    const share = (): number => between(source, -how.shift!, how.shift!);
    map = composed(map, [1, 0, share() * width, 0, 1, share() * height]);
  }
  if (how.rotate !== undefined) map = composed(map, rotation(between(source, -how.rotate, how.rotate)));
  if (how.crop !== undefined) map = composed(map, cropOf(image, how.crop, source));
  if (how.flip && source.uniform() < 0.5) map = composed(map, [-1, 0, 0, 0, 1, 0]);
  return map;
}

function cropOf(
  { width, height }: RawImage,
  { area, ratio }: NonNullable<Augmentation['crop']>,
  source: Random,
): Affine {
  const size = between(source, ...area);
  const stretch = Math.exp(between(source, Math.log(ratio[0]), Math.log(ratio[1])) / 2);
  const across = Math.min(1, Math.sqrt(size) * stretch);
  const down = Math.min(1, Math.sqrt(size) / stretch);
  const place = (share: number, side: number): number => (between(source, -1, 1) * (1 - share) * side) / 2;
  return [across, 0, place(across, width), 0, down, place(down, height)];
}

function rotation(degrees: number): Affine {
  const [cosine, sine] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [cosine, -sine, 0, sine, cosine, 0];
}

/** The largest magnitude: the ranges below are those of torchvision's RandAugment. */
const MOST = 30;
const LARGEST = { shear: 0.3, shift: 150 / 331, rotate: 30, enhance: 0.9, bits: 4 } as const;

/** Changes an image by a share of the largest change, to one side or the other where there are two. */
type Operation = (image: RawImage, share: number, sign: -1 | 1) => RawImage;

const enhanced =
  (change: (image: RawImage, factor: number) => RawImage): Operation =>
  (image, share, sign) =>
    change(image, 1 + sign * share * LARGEST.enhance);

/** The list of RandAugment (Cubuk et al., 2019). */
const OPERATIONS: readonly Operation[] = [
  (image) => image,
  (image) => autoContrast(image),
  (image) => equalize(image),
  (image, share, sign) => warp(image, rotation(sign * share * LARGEST.rotate)),
  (image, share) => solarize(image, 255 * (1 - share)),
  enhanced(saturation),
  (image, share) => posterize(image, 8 - Math.round(share * LARGEST.bits)),
  enhanced(contrast),
  enhanced(brightness),
  enhanced(sharpness),
  (image, share, sign) => warp(image, [1, sign * share * LARGEST.shear, 0, 0, 1, 0]),
  (image, share, sign) => warp(image, [1, 0, 0, sign * share * LARGEST.shear, 1, 0]),
  (image, share, sign) => warp(image, [1, 0, sign * share * LARGEST.shift * image.width, 0, 1, 0]),
  (image, share, sign) => warp(image, [1, 0, 0, 0, 1, sign * share * LARGEST.shift * image.height]),
];

function between(source: Random, low: number, high: number): number {
  return low + (high - low) * source.uniform();
}
