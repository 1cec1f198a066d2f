import { type RawImage, withChannels } from './raw-image.ts';

/** Changes of colours and contrast as Pillow has them in ImageEnhance and ImageOps, with its roundings. */

/** 0 black, 1 the image, more is brighter. */
export function brightness(image: RawImage, factor: number): RawImage {
  return blended(image, () => 0, factor);
}

/** 0 the mean grey, 1 the image, more has more contrast. */
export function contrast(image: RawImage, factor: number): RawImage {
  const { data } = withChannels(image, 1);
  const mean = Math.trunc(data.reduce((sum, level) => sum + level, 0) / data.length + 0.5);
  return blended(image, () => mean, factor);
}

/** 0 grey, 1 the image, more is more colourful. */
export function saturation(image: RawImage, factor: number): RawImage {
  if (image.channels === 1) return image;
  const grey = withChannels(image, 1).data;
  return blended(image, (at) => grey[Math.floor(at / 3)]!, factor);
}

/** 0 blurred, 1 the image, more is sharper. */
export function sharpness(image: RawImage, factor: number): RawImage {
  const smooth = smoothed(image);
  return blended(image, (at) => smooth[at]!, factor);
}

/** Levels from `threshold` on are inverted. */
export function solarize(image: RawImage, threshold: number): RawImage {
  return mapped(image, () => (level) => (level < threshold ? level : 255 - level));
}

/** Keeps the upper bits of each level. */
export function posterize(image: RawImage, bits: number): RawImage {
  const mask = ~(2 ** (8 - bits) - 1);
  return mapped(image, () => (level) => level & mask);
}

/** Spreads the levels of each channel from the darkest to the lightest. */
export function autoContrast(image: RawImage): RawImage {
  return mapped(image, (counts) => {
    const lowest = counts.findIndex((count) => count > 0);
    const highest = counts.findLastIndex((count) => count > 0);
    if (highest <= lowest) return (level) => level;
    const scale = 255 / (highest - lowest);
    return (level) => Math.max(0, Math.min(255, Math.trunc(level * scale - lowest * scale)));
  });
}

/** Makes the levels of each channel about equally frequent. */
export function equalize(image: RawImage): RawImage {
  return mapped(image, (counts) => {
    const present = counts.filter((count) => count > 0);
    const step = Math.floor((image.width * image.height - present.at(-1)!) / 255);
    if (present.length <= 1 || step === 0) return (level) => level;
    let sum = Math.floor(step / 2);
    const levels = Array.from(counts, (count) => {
      const level = Math.floor(sum / step);
      sum += count;
      return Math.min(255, level);
    });
    return (level) => levels[level]!;
  });
}

/** `from + (image − from) · factor`, cut to whole levels. */
function blended({ data, ...size }: RawImage, from: (at: number) => number, factor: number): RawImage {
  const out = new Uint8Array(data.length);
  // In single precision, as Pillow has it: it decides where a result is a whole level.
  const alpha = Math.fround(factor);
  for (let at = 0; at < data.length; at++) {
    const base = from(at);
    const value = Math.fround(base + Math.fround(alpha * Math.fround(data[at]! - base)));
    out[at] = value <= 0 ? 0 : value >= 255 ? 255 : value;
  }
  return { ...size, data: out };
}

/** Another level for each level, by channel, from how often each occurs. */
function mapped(
  { data, channels, ...size }: RawImage,
  mapOf: (counts: Uint32Array) => (level: number) => number,
): RawImage {
  const out = new Uint8Array(data.length);
  for (let channel = 0; channel < channels; channel++) {
    const counts = new Uint32Array(256);
    for (let at = channel; at < data.length; at += channels) counts[data[at]!]!++;
    const map = mapOf(counts);
    const levels = Uint8Array.from({ length: 256 }, (_, level) => map(level));
    for (let at = channel; at < data.length; at += channels) out[at] = levels[data[at]!]!;
  }
  return { ...size, channels, data: out };
}

/** Pillow's filter SMOOTH: the pixel five times, its neighbours once; the edge stays. */
function smoothed({ data, width, height, channels }: RawImage): Uint8Array {
  const out = data.slice();
  const line = width * channels;
  for (let row = 1; row < height - 1; row++) {
    for (let at = row * line + channels; at < (row + 1) * line - channels; at++) {
      let sum = 4 * data[at]!;
      for (const above of [at - line, at, at + line]) {
        sum += data[above - channels]! + data[above]! + data[above + channels]!;
      }
      out[at] = sum / 13 + 0.5;
    }
  }
  return out;
}
