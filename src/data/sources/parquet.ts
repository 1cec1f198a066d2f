import type { Column, RowBatch, RowReader } from '../row.ts';
import { connectDuckDB, quoteText } from './duckdb.ts';
import { hashFiles, listFiles } from './files.ts';
import { describeQuery, queryRows } from './query.ts';
import type { ReadOptions } from './source.ts';

/** The rows of Parquet files, one file after another; a row's line is its number in its file. */
export async function readParquet(paths: string | readonly string[], options: ReadOptions): Promise<RowReader> {
  const files = await listFiles(paths, options.directory ?? process.cwd());
  const connection = await connectDuckDB();
  const sqlOf = (path: string): string => `select * from read_parquet(${quoteText(path)})`;
  const columns = new Map<string, Column>();
  try {
    for (const file of files) {
      for (const { name, type } of await describeQuery(connection, sqlOf(file.path), file.name)) {
        if (!columns.has(name)) columns.set(name, { name, type });
      }
    }
  } catch (error) {
    connection.closeSync();
    throw error;
  }
  async function* batches(): AsyncGenerator<RowBatch> {
    let read = 0;
    try {
      for (const file of files) {
        const sql = sqlOf(file.path);
        const described = await describeQuery(connection, sql, file.name);
        let done = 0;
        for await (const rows of queryRows(connection, sql, described, file.name, options.signal)) {
          const first = done + 1;
          yield { file: file.name, rows, numbers: rows.map((_, index) => first + index) };
          done += rows.length;
          read += rows.length;
          options.onProgress?.(read, undefined, 'reading rows');
        }
      }
    } finally {
      connection.closeSync();
    }
  }
  return {
    columns: [...columns.values()],
    batches: batches(),
    unreadable: [],
    notes: [],
    locate: async (_file, numbers) => numbers,
    hash: () => hashFiles(files),
    close: async () => {},
  };
}
