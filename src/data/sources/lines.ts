import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { LatheError } from '../../base/index.ts';
import type { ReadOptions } from './source.ts';

/** Lines that were read together: `lines[i]` is line `first + i`; undefined where the bytes are not UTF-8. */
export interface LineBatch {
  readonly first: number;
  readonly lines: readonly (string | undefined)[];
}

const LONGEST_LINE = 1 << 28;

/**
 * The lines of a UTF-8 file, unpacked when it ends in `.gz`. Only line feeds end lines (with a carriage return before or
 * not), as JSON lines need it: U+2028 is text. A byte order mark is dropped.
 */
export async function* readLines(path: string, options: ReadOptions = {}): AsyncGenerator<LineBatch> {
  let rest: Buffer = Buffer.alloc(0);
  let parts: Buffer[] = [];
  let waiting = 0;
  let first = 1;
  for await (const chunk of openBytes(path, options)) {
    const last = chunk.lastIndexOf(0x0a);
    if (last < 0) {
      parts.push(chunk);
      waiting += chunk.length;
      if (waiting > LONGEST_LINE) {
        throw new LatheError(
          'invalid-data',
          `${path}, line ${first}: more than ${LONGEST_LINE} bytes without a line break`,
          {
            hint: 'This is not a file of lines.',
          },
        );
      }
      continue;
    }
    const whole = Buffer.concat([rest, ...parts, chunk.subarray(0, last)]);
    rest = Buffer.from(chunk.subarray(last + 1));
    parts = [];
    waiting = rest.length;
    const lines = decodeLines(whole, first === 1);
    yield { first, lines };
    first += lines.length;
  }
  const whole = Buffer.concat([rest, ...parts]);
  if (whole.length > 0) yield { first, lines: decodeLines(whole, first === 1) };
}

/** The bytes of a file in pieces, unpacked when its name ends in `.gz`. */
export async function* openBytes(path: string, options: ReadOptions = {}): AsyncGenerator<Buffer> {
  const stream = createReadStream(path, { highWaterMark: 1 << 20 });
  const bytes = path.toLowerCase().endsWith('.gz') ? stream.pipe(createGunzip()) : stream;
  // An error of the file itself does not travel through a pipe.
  stream.on('error', (error) => bytes.destroy(error));
  try {
    for await (const chunk of bytes) {
      options.signal?.throwIfAborted();
      yield chunk as Buffer;
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (!code.startsWith('Z_')) throw cause;
    throw new LatheError('invalid-data', `${path}: broken gzip data (${(cause as Error).message})`, { cause });
  } finally {
    stream.destroy();
  }
}

function decodeLines(withMark: Buffer, isStart: boolean): (string | undefined)[] {
  const hasMark = isStart && withMark[0] === 0xef && withMark[1] === 0xbb && withMark[2] === 0xbf;
  const bytes = hasMark ? withMark.subarray(3) : withMark;
  const text = decodeUtf8(bytes);
  if (text !== undefined) return text.split('\n').map(withoutReturn);
  const lines: (string | undefined)[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found;
    const line = decodeUtf8(bytes.subarray(start, end));
    lines.push(line === undefined ? undefined : withoutReturn(line));
    start = end + 1;
  }
  return lines;
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}
