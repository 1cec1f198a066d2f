import { type RawImage, withChannels } from './raw-image.ts';

/** Changes of colours and contrast as Pillow has them in ImageEnhance and ImageOps, with its roundings. */

/** 0 black, 1 the image, more is brighter. */
export function brightness(image: RawImage, factor: number): RawImage {
  return levelled(image, blend(0, factor));
}

/** 0 the mean grey, 1 the image, more has more contrast. */
export function contrast(image: RawImage, factor: number): RawImage {
  const { data } = withChannels(image, 1);
  let sum = 0;
  for (let at = 0; at < data.length; at++) sum += data[at]!;
  return levelled(image, blend(Math.trunc(sum / data.length + 0.5), factor));
}

/** 0 grey, 1 the image, more is more colourful. */
export function saturation(image: RawImage, factor: number): RawImage {
  return image.channels === 1 ? image : blended(image, withChannels(withChannels(image, 1), 3).data, factor);
}

/** 0 blurred, 1 the image, more is sharper. */
export function sharpness(image: RawImage, factor: number): RawImage {
  return blended(image, smoothed(image), factor);
}

/** Levels from `threshold` on are inverted. */
export function solarize(image: RawImage, threshold: number): RawImage {
  return levelled(image, (level) => (level < threshold ? level : 255 - level));
}

/** Keeps the upper bits of each level. */
export function posterize(image: RawImage, bits: number): RawImage {
  const mask = ~(2 ** (8 - bits) - 1);
  return levelled(image, (level) => level & mask);
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

/** `base + (level − base) · factor`, cut to whole levels. */
function blend(base: number, factor: number): (level: number) => number {
  const alpha = Math.fround(factor);
  return (level) => blendOne(base, level, alpha);
}

/** In single precision, as Pillow has it: it decides where a result is a whole level. */
function blendOne(base: number, level: number, alpha: number): number {
  const value = Math.fround(base + Math.fround(alpha * Math.fround(level - base)));
  return value <= 0 ? 0 : value >= 255 ? 255 : value;
}

/** The same with a base for each level of the image. */
function blended({ data, ...size }: RawImage, bases: Uint8Array, factor: number): RawImage {
  const out = new Uint8Array(data.length);
  const alpha = Math.fround(factor);
  for (let at = 0; at < data.length; at++) out[at] = blendOne(bases[at]!, data[at]!, alpha);
  return { ...size, data: out };
}

/** Another level for each level. */
function levelled({ data, ...size }: RawImage, map: (level: number) => number): RawImage {
  const out = new Uint8Array(data.length);
  const levels = Uint8Array.from({ length: 256 }, (_, level) => map(level));
  for (let at = 0; at < data.length; at++) out[at] = levels[data[at]!]!;
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
      const above = at - line;
      const below = at + line;
      const around =
        data[above - channels]! +
        data[above]! +
        data[above + channels]! +
        data[at - channels]! +
        data[at + channels]! +
        data[below - channels]! +
        data[below]! +
        data[below + channels]!;
      out[at] = (around + 5 * data[at]!) / 13 + 0.5;
    }
  }
  return out;
}
