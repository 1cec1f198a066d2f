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

/** The path of an image file, the bytes of one, or pixels. */
export type ImageInput = string | Uint8Array | RawImage;

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
  if (typeof image !== 'string') return image instanceof Uint8Array ? decodeImage(image, { name }) : image;
  const bytes = await readFile(image).catch((cause: NodeJS.ErrnoException) => {
    throw new LatheError(
      'not-found',
      `cannot read "${image}": ${cause.code === 'ENOENT' ? 'no such file' : cause.message}`,
      { cause },
    );
  });
  return decodeImage(bytes, { name: image });
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
