import type { DuckDBConnection } from '@duckdb/node-api';
import { LatheError } from '../../base/index.ts';
import { type Column, type Row, textOf } from '../row.ts';
import { connectDuckDB, duckError, quoteName } from '../sources/duckdb.ts';

export interface FilterStep {
  /** Whether the expression is true, a row. Unknown (null) counts as false. */
  keeps(rows: readonly Row[]): Promise<boolean[]>;
}

/**
 * A filter by a DuckDB expression over the columns. All columns are offered as their types; cells of CSV files are text,
 * so that numbers in them are cast by the expression: `stars::int >= 4`. Throws `usage` for an expression that DuckDB
 * refuses.
 */
export function sqlFilter(sql: string, columns: readonly Column[]): FilterStep {
  let open: Promise<DuckDBConnection> | undefined;
  return {
    async keeps(rows) {
      if (rows.length === 0) return [];
      open ??= prepare(sql, columns);
      const connection = await open;
      const appender = await connection.createAppender('filter_rows');
      for (const [index, row] of rows.entries()) {
        appender.appendInteger(index);
        for (const column of columns) {
          const value = row[column.name];
          if (value === undefined || value === null) appender.appendNull();
          else if (column.type === 'integer' || column.type === 'number') {
            if (typeof value === 'number') appender.appendDouble(value);
            else appender.appendNull();
          } else if (column.type === 'boolean') {
            if (typeof value === 'boolean') appender.appendBoolean(value);
            else appender.appendNull();
          } else appender.appendVarchar(textOf(value) ?? JSON.stringify(value));
        }
        appender.endRow();
      }
      appender.closeSync();
      try {
        const result = await connection.runAndReadAll(`select row_index from filter_rows where (${sql}\n)`);
        const kept = new Array<boolean>(rows.length).fill(false);
        for (const [index] of result.getRowsJS()) kept[Number(index)] = true;
        return kept;
      } catch (cause) {
        throw refused(sql, cause);
      } finally {
        await connection.run('truncate filter_rows');
      }
    },
  };
}

async function prepare(sql: string, columns: readonly Column[]): Promise<DuckDBConnection> {
  const connection = await connectDuckDB();
  const types = columns.map(({ name, type }) => {
    const stored = type === 'integer' || type === 'number' ? 'double' : type === 'boolean' ? 'boolean' : 'varchar';
    return `${quoteName(name)} ${stored}`;
  });
  await connection.run(`create or replace temp table filter_rows (${['row_index integer', ...types].join(', ')})`);
  try {
    const statement = await connection.prepare(`select row_index from filter_rows where (${sql}\n)`);
    statement.destroySync();
  } catch (cause) {
    throw refused(sql, cause);
  }
  return connection;
}

function refused(sql: string, cause: unknown): LatheError {
  const { message } = duckError(`filter ${JSON.stringify(sql)}`, cause);
  return new LatheError('usage', message, { cause });
}
