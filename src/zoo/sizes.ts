import { stat } from 'node:fs/promises';

/** A size as people read it, in decimal units: 812 bytes, 4.9 kB, 438 MB. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** The bytes of a size as people write it (500MB, 2.5 GB, 1000), or undefined for what is none. */
export function parseBytes(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)\s*([kMGT]?)B?$/i.exec(text.trim());
  if (parts === null) return undefined;
  return Math.round(Number(parts[1]) * 1000 ** ['', 'k', 'm', 'g', 't'].indexOf(parts[2]!.toLowerCase()));
}

/** The bytes of a file, or undefined where there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}
