import { LatheError } from '../../base/index.ts';
import type { RawImage } from './raw-image.ts';

/** What is read: every other format is refused, also where the decoder would know it. */
export const IMAGE_FORMATS = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const;

/** Endings of the names of such files. */
export const IMAGE_EXTENSIONS = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'] as const;

export interface DecodeImageOptions {
  /** How an error names it. */
  readonly name?: string;
  /** Images of more pixels are refused before they are unpacked. Default 100 million. */
  readonly maxPixels?: number;
}

/** A file as an image: its size and format, without its pixels. */
export interface ImageFacts {
  readonly format: (typeof IMAGE_FORMATS)[number];
  /** As it is to be seen, turned as its EXIF orientation says. */
  readonly width: number;
  readonly height: number;
}

const MOST_PIXELS = 100_000_000;

/**
 * Unpacks a JPEG, PNG, WebP, GIF (its first frame), TIFF or AVIF image to 8 bits a channel: grey images have one, the others
 * three. It is turned as its EXIF orientation says; what is transparent becomes white; 16 bits become 8; CMYK becomes
 * sRGB; colour profiles are otherwise left aside, as Hugging Face's image processors leave them.
 *
 * Throws LatheError('invalid-data') that names the file: not an image, a format that is not read, damaged, or too large. In
 * Node alone: it is `sharp` that unpacks.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeImageOptions = {}): Promise<RawImage> {
  const { name = 'image' } = options;
  const { isGrey } = await headOf(bytes, options);
  const sharp = await loadSharp();
  try {
    const { data, info } = await sharp(bytes, SHARP_OPTIONS)
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace(isGrey ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 1 && channels !== 3) throw new Error(`${channels} channels`);
    return { width, height, channels, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  } catch (cause) {
    throw unreadable(name, cause);
  }
}

/** Looks at the head of a file. Throws as {@link decodeImage} does, except for damage behind the head. */
export async function imageFacts(bytes: Uint8Array, options: DecodeImageOptions = {}): Promise<ImageFacts> {
  const { format, width, height } = await headOf(bytes, options);
  return { format, width, height };
}

async function headOf(
  bytes: Uint8Array,
  { name = 'image', maxPixels = MOST_PIXELS }: DecodeImageOptions,
): Promise<ImageFacts & { readonly isGrey: boolean }> {
  if (bytes.length === 0) throw new LatheError('invalid-data', `${name}: an empty file`);
  const sharp = await loadSharp();
  const head = await sharp(bytes, SHARP_OPTIONS)
    .metadata()
    .catch((cause: unknown) => {
      throw unreadable(name, cause);
    });
  // AVIF is HEIF around AV1; the decoder's name for both is that of the container.
  const found = head.format === 'heif' && head.compression === 'av1' ? 'avif' : head.format;
  const format = IMAGE_FORMATS.find((one) => one === found);
  if (format === undefined) {
    throw new LatheError('invalid-data', `${name}: ${found} images are not read`, {
      hint: `Expected one of ${IMAGE_FORMATS.join(', ')}.`,
    });
  }
  const { width, height } = head.autoOrient;
  if (width * height > maxPixels) {
    throw new LatheError(
      'invalid-data',
      `${name}: ${width} × ${height} pixels, expected at most ${maxPixels.toLocaleString('en')} in all`,
      { hint: 'Make it smaller first: models see a few hundred pixels a side.' },
    );
  }
  return { format, width, height, isGrey: head.space === 'b-w' || head.space === 'grey16' };
}

const SHARP_OPTIONS = { failOn: 'error', ignoreIcc: true, limitInputPixels: false, pages: 1 } as const;

type Sharp = typeof import('sharp')['default'];
let loaded: Promise<Sharp> | undefined;

/** Loaded when the first image is unpacked, so that nobody else waits for it. */
export function loadSharp(): Promise<Sharp> {
  loaded ??= import('sharp').then(({ default: sharp }) => {
    // Every file is read once: nothing is worth keeping.
    sharp.cache(false);
    return sharp;
  });
  return loaded;
}

function unreadable(name: string, cause: unknown): LatheError {
  const said = (cause as Error).message.replace(/\s*\n\s*/g, '; ').replace(/^Input buffer /i, '');
  return new LatheError('invalid-data', `${name}: cannot be read as an image: ${said}`, { cause });
}
