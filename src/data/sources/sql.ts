import { createHash } from 'node:crypto';
import type { RowBatch, RowReader } from '../row.ts';
import { connectDuckDB, quoteText } from './duckdb.ts';
import { describeQuery, queryRows, refuseAllButSelect } from './query.ts';
import type { ReadOptions } from './source.ts';

/**
 * The rows of a DuckDB query, over files by their paths. Rows come in the query's order: give an `order by` where a join
 * or a group decides it. Throws `usage` for anything but one SELECT.
 */
export async function readSql(query: string, options: ReadOptions): Promise<RowReader> {
  const connection = await connectDuckDB();
  const directory = options.directory ?? process.cwd();
  await connection.run(`set file_search_path = ${quoteText(directory)}`);
  const sql = query.trim().replace(/;\s*$/, '');
  try {
    await refuseAllButSelect(connection, sql);
    return await reader();
  } catch (error) {
    connection.closeSync();
    throw error;
  }

  async function reader(): Promise<RowReader> {
    const columns = await describeQuery(connection, sql, 'SQL query');
    const hash = createHash('sha256').update(sql);
    async function* batches(): AsyncGenerator<RowBatch> {
      let done = 0;
      try {
        for await (const rows of queryRows(connection, sql, columns, 'SQL query', options.signal)) {
          for (const row of rows) hash.update(JSON.stringify(row));
          const first = done + 1;
          yield { file: 'query', rows, numbers: rows.map((_, index) => first + index) };
          done += rows.length;
          options.onProgress?.(done, undefined, 'reading rows');
        }
      } finally {
        connection.closeSync();
      }
    }
    return {
      columns: columns.map(({ name, type }) => ({ name, type })),
      batches: batches(),
      unreadable: [],
      notes: [],
      locate: async (_file, numbers) => numbers,
      hash: async () => hash.digest('hex'),
      close: async () => {},
    };
  }
}
