/** A value of a cell: what JSON can say. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

/** A row of data, by column name. */
export interface Row {
  readonly [column: string]: Value;
}

/** Rows that were read together, in the source's order. */
export interface RowBatch {
  /** The file (or query) that they come from, as the source names it: one for all, or one a row. */
  readonly file: string | readonly string[];
  readonly rows: readonly Row[];
  /** The number of each row in its file: what {@link RowReader.locate} turns into a line. Counted from 1. */
  readonly numbers: ArrayLike<number>;
}

export type ColumnType = 'text' | 'integer' | 'number' | 'boolean' | 'time' | 'json';

export interface Column {
  readonly name: string;
  /** What the values look like; CSV values stay text as written, whatever they look like. */
  readonly type: ColumnType;
}

/** A row that could not be used, and where it stands. */
export interface UnreadableRow {
  readonly file: string;
  /** Line in the file, counted from 1; in formats without lines the number of the row; 0 for a file as a whole. */
  readonly line: number;
  readonly reason: string;
  /** The beginning of what stands there. */
  readonly excerpt: string;
}

/** An open source: its columns, its rows once, and what could not be read so far. */
export interface RowReader {
  readonly columns: readonly Column[];
  readonly batches: AsyncIterable<RowBatch>;
  /** Rows that the format's reader refused. Complete once `batches` has ended. */
  readonly unreadable: readonly UnreadableRow[];
  /** Notes about the file as a whole, for the report: a renamed column, a lossy decoding. */
  readonly notes: readonly string[];
  /** Lines of rows given by their numbers, ascending; only after `batches` has ended. */
  locate(file: string, numbers: readonly number[]): Promise<readonly number[]>;
  /** sha256 over what the source holds, in hex; only after `batches` has ended. */
  hash(): Promise<string>;
  /** Gives back what the reader holds: temporary files. */
  close(): Promise<void>;
}

/** The text of a cell, or undefined when it holds none: null, a list, an object. Numbers and booleans print. */
export function textOf(value: Value | undefined): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** The beginning of a text on one line, for messages. */
export function excerptOf(text: string, characters = 80): string {
  const line = text
    .slice(0, characters * 4)
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > characters ? `${line.slice(0, characters - 1)}…` : line;
}
