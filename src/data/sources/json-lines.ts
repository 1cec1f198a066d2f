import { basename } from 'node:path';
import {
  type Column,
  type ColumnType,
  excerptOf,
  type Row,
  type RowBatch,
  type RowReader,
  type UnreadableRow,
  type Value,
} from '../row.ts';
import { hashFiles, listFiles, type SourceFile } from './files.ts';
import { type LineBatch, readLines } from './lines.ts';
import type { ReadOptions } from './source.ts';

/** Rows that are looked at to list the columns. */
const SAMPLE_ROWS = 10_000;

/**
 * A JSON object a line. Lines are parsed one by one, because a line that is no JSON must cost that line only and be named
 * by its number. Empty lines are skipped.
 */
export async function readJsonLines(paths: string | readonly string[], options: ReadOptions): Promise<RowReader> {
  const files = await listFiles(paths, options.directory ?? process.cwd(), [
    '.jsonl',
    '.ndjson',
    '.jsonl.gz',
    '.ndjson.gz',
  ]);
  return jsonLinesReader(files, options);
}

export async function jsonLinesReader(files: readonly SourceFile[], options: ReadOptions): Promise<RowReader> {
  const columns = new ColumnSample();
  sampling: for (const file of files) {
    for await (const batch of readLines(file.path, options)) {
      for (const line of batch.lines) {
        const row = parseLine(line);
        if (typeof row === 'object') columns.see(row);
        if (columns.rows >= SAMPLE_ROWS) break sampling;
      }
    }
  }
  const unreadable: UnreadableRow[] = [];
  const total = files.some(({ path }) => path.endsWith('.gz'))
    ? undefined
    : files.reduce((sum, { bytes }) => sum + bytes, 0);

  async function* batches(): AsyncGenerator<RowBatch> {
    let done = 0;
    for (const file of files) {
      for await (const lines of readLines(file.path, options)) {
        const batch = parseBatch(file, lines, unreadable);
        for (const line of lines.lines) done += (line?.length ?? 0) + 1;
        options.onProgress?.(
          total === undefined ? done : Math.min(done, total),
          total,
          `reading ${basename(file.name)}`,
        );
        if (batch.rows.length > 0) yield batch;
      }
    }
  }
  return {
    columns: columns.list(),
    batches: batches(),
    unreadable,
    notes: [],
    locate: async (_file, numbers) => numbers,
    hash: () => hashFiles(files),
    close: async () => {},
  };
}

function parseBatch(file: SourceFile, { first, lines }: LineBatch, unreadable: UnreadableRow[]): RowBatch {
  const rows: Row[] = [];
  const numbers: number[] = [];
  for (const [index, line] of lines.entries()) {
    if (line !== undefined && line.trim() === '') continue;
    const row = parseLine(line);
    if (typeof row === 'object') {
      rows.push(row);
      numbers.push(first + index);
    } else unreadable.push({ file: file.name, line: first + index, reason: row, excerpt: excerptOf(line ?? '') });
  }
  return { file: file.name, rows, numbers };
}

/** A row, or the reason why the line is none. */
function parseLine(line: string | undefined): Row | string {
  if (line === undefined) return 'bytes that are not UTF-8';
  try {
    return rowOf(JSON.parse(line) as Value);
  } catch (error) {
    return `not JSON: ${(error as Error).message}`;
  }
}

/** A JSON value as a row, or the reason why it is none. */
export function rowOf(value: Value): Row | string {
  if (typeof value !== 'object' || value === null)
    return `expected an object, got ${value === null ? 'null' : `a ${typeof value}`}`;
  return Array.isArray(value) ? 'expected an object, got a list' : (value as Row);
}

/** Gathers the columns of rows, in the order of their first appearance. */
export class ColumnSample {
  rows = 0;
  readonly #types = new Map<string, ColumnType | undefined>();

  see(row: Row): void {
    this.rows++;
    for (const name in row) {
      const value = row[name] as Value;
      const seen = this.#types.get(name);
      const type = typeOf(value);
      if (type === undefined && this.#types.has(name)) continue;
      this.#types.set(name, seen === undefined || seen === type ? type : widen(seen, type!));
    }
  }

  list(): Column[] {
    return [...this.#types].map(([name, type]) => ({ name, type: type ?? 'text' }));
  }
}

function typeOf(value: Value): ColumnType | undefined {
  if (value === null) return undefined;
  if (typeof value === 'string') return 'text';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return 'json';
}

function widen(left: ColumnType, right: ColumnType): ColumnType {
  const numeric = (type: ColumnType): boolean => type === 'integer' || type === 'number';
  return numeric(left) && numeric(right) ? 'number' : 'text';
}
