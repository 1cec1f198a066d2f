import { open } from 'node:fs/promises';
import { LatheError } from './errors.ts';

/** As `readFile`, which refuses files of 2 GiB and more. Throws the system's errors, and LatheError('io') for a file that shrinks. */
export async function readWhole(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array((await file.stat()).size);
    let position = 0;
    while (position < bytes.byteLength) {
      const length = Math.min(bytes.byteLength - position, 2 ** 30);
      const { bytesRead } = await file.read(bytes, position, length, position);
      if (bytesRead === 0)
        throw new LatheError('io', `${path}: ended after ${position} bytes of ${bytes.byteLength}, while it was read`);
      position += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
