import type { RawImage } from './raw-image.ts';

/**
 * Where a pixel of the result is taken from: from the middle of the result, in pixels, `[x, y]` comes from
 * `[a·x + b·y + c, d·x + e·y + f]` from the middle of the image.
 */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export const IDENTITY: Affine = [1, 0, 0, 0, 1, 0];

/** First `second`, then `first`, in the order in which places are looked up. */
export function composed(first: Affine, second: Affine): Affine {
  const [a, b, c, d, e, f] = first;
  const [g, h, i, j, k, l] = second;
  return [a * g + b * j, a * h + b * k, a * i + b * l + c, d * g + e * j, d * h + e * k, d * i + e * l + f];
}

/** The image seen through an affine map, of its own size, between pixels bilinear, beyond the edge as at the edge. */
export function warp(image: RawImage, map: Affine): RawImage {
  const { width, height, channels, data } = image;
  const [a, b, c, d, e, f] = map;
  if (map.every((value, index) => value === IDENTITY[index])) return image;
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  const out = new Uint8Array(data.length);
  let at = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const x = column - middleX;
      const y = row - middleY;
      const fromX = Math.min(width - 1, Math.max(0, a * x + b * y + c + middleX));
      const fromY = Math.min(height - 1, Math.max(0, d * x + e * y + f + middleY));
      const left = Math.floor(fromX);
      const top = Math.floor(fromY);
      const across = fromX - left;
      const down = fromY - top;
      const first = (top * width + left) * channels;
      const right = left + 1 < width ? channels : 0;
      const below = top + 1 < height ? width * channels : 0;
      for (let channel = 0; channel < channels; channel++) {
        const place = first + channel;
        const above = data[place]! + (data[place + right]! - data[place]!) * across;
        const under = data[place + below]! + (data[place + below + right]! - data[place + below]!) * across;
        out[at++] = above + (under - above) * down + 0.5;
      }
    }
  }
  return { width, height, channels, data: out };
}
