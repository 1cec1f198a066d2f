import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Row } from './row.ts';
import { readLines } from './sources/lines.ts';

/** Characters of rows that are held in memory before they go to a file. */
const IN_MEMORY = 48 << 20;
const CHUNK = 1 << 20;

/** Rows that are written once and read again in the same order: in memory while they are few, else in a temporary file. */
export interface Spool {
  readonly length: number;
  push(row: Row): Promise<void>;
  rows(): AsyncIterable<Row>;
  /** Removes the temporary file, if any. */
  close(): Promise<void>;
}

export function spool(directory: string = tmpdir(), inMemory = IN_MEMORY): Spool {
  let held: Row[] = [];
  let heldCharacters = 0;
  let length = 0;
  let pending: string[] = [];
  let pendingCharacters = 0;
  let file: FileHandle | undefined;
  const path = join(directory, `.lathe-rows-${process.pid}-${randomBytes(6).toString('hex')}.jsonl`);

  const append = async (row: Row): Promise<void> => {
    const line = `${JSON.stringify(row)}\n`;
    pending.push(line);
    pendingCharacters += line.length;
    if (pendingCharacters >= CHUNK) await flush();
  };
  const flush = async (): Promise<void> => {
    if (file !== undefined && pending.length > 0) await file.appendFile(pending.join(''));
    pending = [];
    pendingCharacters = 0;
  };
  return {
    get length() {
      return length;
    },
    async push(row) {
      length++;
      if (file !== undefined) return append(row);
      held.push(row);
      heldCharacters += sizeOfRow(row);
      if (heldCharacters <= inMemory) return;
      file = await open(path, 'wx');
      for (const early of held) await append(early);
      held = [];
    },
    async *rows() {
      if (file === undefined) {
        yield* held;
        return;
      }
      await flush();
      for await (const { lines } of readLines(path)) for (const line of lines) if (line) yield JSON.parse(line) as Row;
    },
    async close() {
      await file?.close();
      if (file !== undefined) await rm(path, { force: true });
      held = [];
    },
  };
}

function sizeOfRow(row: Row): number {
  let characters = 32;
  for (const name in row) {
    const value = row[name];
    characters += typeof value === 'string' ? value.length : 16;
  }
  return characters;
}
