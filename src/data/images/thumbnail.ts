import { loadSharp } from './decode.ts';

/** A small JPEG of an image file as a data URI, for pages that stand alone. In Node alone. */
export async function thumbnail(bytes: Uint8Array, side = 96): Promise<string> {
  const sharp = await loadSharp();
  const jpeg = await sharp(bytes, { failOn: 'error', pages: 1 })
    .autoOrient()
    .resize(side, side, { fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .jpeg({ quality: 75 })
    .toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
}
