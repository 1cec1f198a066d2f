import { LatheError } from '../../base/index.ts';
import { type RawImage, withChannels } from './raw-image.ts';
import { resize } from './resize.ts';

/** Pixels a side of what is compared. */
const SIDE = 16;

/** The image in grey, 16 × 16, as 512 hexadecimal digits: what near-duplicates are told by. */
export function fingerprint(image: RawImage): string {
  return Buffer.from(resize(withChannels(image, 1), { width: SIDE, height: SIDE }, 'box').data).toString('hex');
}

/**
 * Where a fingerprint stands among others: its cosine transform of length 1 without the mean, lowest frequencies first. Of two,
 * the scalar product is the correlation of their pixels. All zero for an image of one colour.
 */
export function directionOf(fingerprintText: string): Float32Array {
  const pixels = Buffer.from(fingerprintText, 'hex');
  if (pixels.length !== SIDE * SIDE) {
    throw new LatheError('invalid-data', `a fingerprint of ${pixels.length} bytes, expected ${SIDE * SIDE}`);
  }
  const across = new Float64Array(SIDE * SIDE);
  for (let row = 0; row < SIDE; row++) {
    for (let frequency = 0; frequency < SIDE; frequency++) {
      let sum = 0;
      for (let column = 0; column < SIDE; column++) sum += pixels[row * SIDE + column]! * cosine(frequency, column);
      across[row * SIDE + frequency] = sum;
    }
  }
  const direction = new Float32Array(SIDE * SIDE - 1);
  let energy = 0;
  for (const [place, [down, right]] of ORDER.entries()) {
    let sum = 0;
    for (let row = 0; row < SIDE; row++) sum += across[row * SIDE + right]! * cosine(down, row);
    direction[place] = sum;
    energy += sum * sum;
  }
  // Below a quarter of a level a pixel there is nothing but rounding.
  const length = Math.sqrt(energy);
  return length < SIDE / 4 ? direction.fill(0) : direction.map((value) => value / length);
}

/** Frequencies down and to the right, but the mean, from low to high. */
const ORDER: readonly (readonly [number, number])[] = Array.from(
  { length: SIDE * SIDE - 1 },
  (_, index) => [Math.floor((index + 1) / SIDE), (index + 1) % SIDE] as const,
).sort(([down, right], [otherDown, otherRight]) => down + right - otherDown - otherRight || down - otherDown);

const COSINES = Float64Array.from({ length: SIDE * SIDE }, (_, at) => {
  const frequency = Math.floor(at / SIDE);
  const scale = Math.sqrt((frequency === 0 ? 1 : 2) / SIDE);
  return scale * Math.cos((Math.PI / SIDE) * ((at % SIDE) + 0.5) * frequency);
});

function cosine(frequency: number, place: number): number {
  return COSINES[frequency * SIDE + place]!;
}
