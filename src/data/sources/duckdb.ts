import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { LatheError } from '../../base/index.ts';

let instance: Promise<DuckDBInstance> | undefined;

/**
 * A connection to the one DuckDB of this process, opened when first asked for: loading it takes a tenth of a second that
 * most commands need not spend. It fetches no extensions, holds no database file, and is closed by its user.
 */
export async function connectDuckDB(): Promise<DuckDBConnection> {
  instance ??= import('@duckdb/node-api').then(({ DuckDBInstance }) =>
    DuckDBInstance.create(':memory:', {
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
      // Rows stream through: what a query holds beyond this goes to DuckDB's own temporary files.
      memory_limit: '1GB',
    }),
  );
  const connection = await (await instance).connect();
  return connection;
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** DuckDB's own message is clear and says where; only its type prefix goes. */
export function duckError(what: string, cause: unknown, hint?: string): LatheError {
  const message = (cause instanceof Error ? cause.message : String(cause)).replace(/^[A-Za-z ]+Error: /, '').trim();
  return new LatheError('invalid-data', `${what}: ${message}`, { cause, ...(hint !== undefined && { hint }) });
}
