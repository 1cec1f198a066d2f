/** Pixels of 8 bits, row by row from the top left, the channels of a pixel beside each other: [height, width, channels]. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  /** 1: grey; 3: red, green, blue. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/**
 * The image with the asked number of channels, itself where it has them. Grey becomes three equal channels; colours become their
 * luma (ITU-R 601-2) in the integer arithmetic of Pillow's `convert('L')`.
 */
export function withChannels(image: RawImage, channels: 1 | 3): RawImage {
  const { width, height, data } = image;
  if (image.channels === channels) return image;
  const pixels = width * height;
  const converted = new Uint8Array(pixels * channels);
  if (channels === 3) {
    for (let pixel = 0, at = 0; pixel < pixels; pixel++) {
      const level = data[pixel]!;
      converted[at++] = level;
      converted[at++] = level;
      converted[at++] = level;
    }
  } else {
    for (let pixel = 0; pixel < pixels; pixel++) {
      const at = pixel * 3;
      converted[pixel] = (data[at]! * 19595 + data[at + 1]! * 38470 + data[at + 2]! * 7471 + 0x8000) >> 16;
    }
  }
  return { width, height, channels, data: converted };
}

/**
 * The middle of an image. Where the image is smaller than what is asked for, it stands in the middle of black, as in Hugging
 * Face's image processors.
 */
export function centerCrop(image: RawImage, size: { readonly width: number; readonly height: number }): RawImage {
  const { channels } = image;
  const { width, height } = size;
  // Rounded down where it is cut, and up where it is padded: what Hugging Face's arithmetic comes to.
  const top = Math.floor((image.height - height) / 2);
  const left = Math.floor((image.width - width) / 2);
  const data = new Uint8Array(width * height * channels);
  const first = Math.max(0, left);
  const last = Math.min(image.width, left + width);
  for (let row = Math.max(0, top); row < Math.min(image.height, top + height); row++) {
    const start = row * image.width;
    data.set(
      image.data.subarray((start + first) * channels, (start + last) * channels),
      ((row - top) * width + first - left) * channels,
    );
  }
  return { width, height, channels, data };
}
