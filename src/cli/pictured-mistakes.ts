import { readFile } from 'node:fs/promises';
import { thumbnail } from '../data/index.ts';
import { type Example, fileOfImage } from '../pipeline/index.ts';
import type { Details } from '../train/index.ts';

/** Details whose mistakes have pictures, where they are about image files. */
export async function withPictures(details: Details, examples: readonly Example[]): Promise<Details> {
  if (details.mistakes === undefined) return details;
  const mistakes = await Promise.all(
    details.mistakes.map(async (mistake) => {
      const example = examples[mistake.example];
      const file = example !== undefined && 'image' in example ? fileOfImage(example.image) : undefined;
      return file === undefined ? mistake : { ...mistake, picture: await thumbnail(await readFile(file)) };
    }),
  );
  return { ...details, mistakes };
}
