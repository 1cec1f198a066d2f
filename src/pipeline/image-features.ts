import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LatheError, sizeOf } from '../base/index.ts';
import {
  decodeImage,
  type ImagePreprocessing,
  imagePreprocessing,
  pixelStore,
  type RawImage,
  tensorDataset,
} from '../data/index.ts';
import type { Extracted, SpecOf } from './features.ts';

export const PREPROCESSOR_FILE = 'preprocessor_config.json';

/** The path of an image file, perhaps with the hash that it should have, the bytes of one, or pixels. */
export type ImageInput = string | ImageFile | Uint8Array | RawImage;

export interface ImageFile {
  readonly path: string;
  /** In hex. */
  readonly sha256: string;
}

/** The path of an image that is a file. */
export function fileOfImage(image: ImageInput): string | undefined {
  if (typeof image === 'string') return image;
  return 'path' in image ? image.path : undefined;
}

/** Turns images into the input of a model. */
export interface ImageFeatures {
  readonly spec: SpecOf<'image'>;
  readonly preprocessing: ImagePreprocessing;
  /** Rows in the order of the images. Throws 'invalid-data' that names the file of one that cannot be read. */
  extract(
    images: readonly ImageInput[],
    options?: {
      readonly onProgress?: (done: number) => void;
      /** A file for the pixels, where they are too many for memory. */
      readonly file?: string;
    },
  ): Promise<Extracted>;
}

/** Images unpacked at a time: enough to keep the threads of the decoder busy. */
const TOGETHER = 16;

export function imageFeatures(spec: SpecOf<'image'>, preprocessing: ImagePreprocessing): ImageFeatures {
  const { channels, width, height, levels } = preprocessing;
  const dims = [channels, height, width];
  return {
    spec,
    preprocessing,
    async extract(images, { onProgress, file } = {}) {
      const size = sizeOf(dims);
      const store = await pixelStore(images.length * size, file);
      for (let start = 0; start < images.length; start += TOGETHER) {
        const some = images.slice(start, start + TOGETHER);
        const raw = await Promise.all(some.map((image, index) => readImage(image, `image ${start + index + 1}`)));
        for (const image of raw) await store.append(preprocessing.pixels(image).data);
        onProgress?.(Math.min(images.length, start + TOGETHER));
      }
      const values = await store.finish();
      const column = { kind: 'pixels', values, dims, levels, dtype: 'float32' } as const;
      return { dataset: tensorDataset({ [spec.input]: column }), truncated: 0 };
    },
  };
}

async function readImage(image: ImageInput, name: string): Promise<RawImage> {
  if (image instanceof Uint8Array) return decodeImage(image, { name });
  const path = fileOfImage(image);
  if (path === undefined) return image as RawImage;
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new LatheError(
      'not-found',
      `cannot read "${path}": ${cause.code === 'ENOENT' ? 'no such file' : cause.message}`,
      { cause },
    );
  });
  if (typeof image === 'object' && 'sha256' in image) {
    if (createHash('sha256').update(bytes).digest('hex') !== image.sha256) {
      throw new LatheError('corrupt', `"${path}" has changed since the data were prepared`, {
        hint: 'Prepare the data again: what was measured on it would no longer hold.',
      });
    }
  }
  return decodeImage(bytes, { name: path });
}

/** The text of a preprocessor_config.json, made ready. */
export function parsePreprocessor(text: string, channels: 1 | 3): ImagePreprocessing {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LatheError('corrupt', `${PREPROCESSOR_FILE}: is not JSON`, { cause });
  }
  return imagePreprocessing(json, { channels });
}
