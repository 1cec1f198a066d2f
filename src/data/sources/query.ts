import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api';
import { LatheError } from '../../base/index.ts';
import type { Column, ColumnType, Row, Value } from '../row.ts';
import { duckError, quoteName, quoteText } from './duckdb.ts';

interface QueryColumn extends Column {
  /** How DuckDB gives the column out. */
  readonly expression: string;
  readonly convert: (value: unknown) => Value;
}

const asIs = (value: unknown): Value => value as Value;
const fromInteger = (value: unknown): Value => {
  if (typeof value !== 'bigint') return value as Value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
};
/** JSON has no infinities; they are no labels either. */
const fromNumber = (value: unknown): Value =>
  typeof value === 'number' ? (Number.isFinite(value) ? value : null) : (value as Value);
const fromJson = (value: unknown): Value => (typeof value === 'string' ? (JSON.parse(value) as Value) : null);

/** How a type of DuckDB becomes a type of ours, by the beginning of its name. */
const TYPES: readonly [
  pattern: RegExp,
  type: ColumnType,
  expression: (name: string) => string,
  convert: (value: unknown) => Value,
][] = [
  [/^JSON$/, 'json', (name) => `${name}::varchar`, fromJson],
  [/(\[\d*\]|^STRUCT|^MAP|^UNION|^VARIANT)/, 'json', (name) => `to_json(${name})::varchar`, fromJson],
  [/^BOOLEAN$/, 'boolean', (name) => name, asIs],
  [/^U?(TINY|SMALL|BIG)?INT(EGER)?$/, 'integer', (name) => name, fromInteger],
  [/^U?HUGEINT$/, 'integer', (name) => `${name}::double`, fromNumber],
  [/^(FLOAT|DOUBLE|REAL)$/, 'number', (name) => name, fromNumber],
  [/^DECIMAL/, 'number', (name) => `${name}::double`, fromNumber],
  [/^(DATE|TIME|INTERVAL)/, 'time', (name) => `${name}::varchar`, asIs],
  // Text that a writer stored as bytes; bytes that are no text are no value.
  [/^BLOB$/, 'text', (name) => `try(decode(${name}))`, asIs],
  [/./, 'text', (name) => `${name}::varchar`, asIs],
];

function columnOf(name: string, type: string): QueryColumn {
  const [, ours, expression, convert] = TYPES.find(([pattern]) => pattern.test(type))!;
  return { name, type: ours, expression: expression(quoteName(name)), convert };
}

/** The columns that a query gives, without running it. Equal names get a number behind: `text`, `text_2`. */
export async function describeQuery(connection: DuckDBConnection, sql: string, what: string): Promise<QueryColumn[]> {
  try {
    const statement = await connection.prepare(sql);
    const names: string[] = [];
    for (let index = 0; index < statement.columnCount; index++) names.push(statement.columnName(index));
    const types: DuckDBType[] = names.map((_, index) => statement.columnType(index));
    statement.destroySync();
    return distinctNames(names).map((name, index) => columnOf(name, types[index]!.alias ?? String(types[index])));
  } catch (cause) {
    throw duckError(what, cause);
  }
}

/** Makes names distinct and none empty: `text`, `text_2`, `column3`. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name, index) => {
    const base = name.trim() === '' ? `column${index + 1}` : name;
    let distinct = base;
    for (let copy = 2; taken.has(distinct.toLowerCase()); copy++) distinct = `${base}_${copy}`;
    taken.add(distinct.toLowerCase());
    return distinct;
  });
}

/** The rows of a query, some thousand at a time. */
export async function* queryRows(
  connection: DuckDBConnection,
  sql: string,
  columns: readonly QueryColumn[],
  what: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Row[]> {
  const renamed = columns.map(({ name }) => quoteName(name)).join(', ');
  const given = columns.map(({ expression }) => expression).join(', ');
  try {
    const result = await connection.stream(`select ${given} from (${sql}\n) as source_rows(${renamed})`);
    for (;;) {
      if (signal?.aborted) {
        connection.interrupt();
        signal.throwIfAborted();
      }
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      const values = columns.map((_, index) => chunk.getColumnValues(index));
      const rows = new Array<Row>(chunk.rowCount);
      for (let index = 0; index < rows.length; index++) {
        const row: Record<string, Value> = {};
        for (const [position, { name, convert }] of columns.entries()) row[name] = convert(values[position]![index]);
        rows[index] = row;
      }
      yield rows;
    }
  } catch (cause) {
    if (cause instanceof LatheError || signal?.aborted) throw cause;
    throw duckError(what, cause);
  }
}

/** Fails unless the text is one statement that only reads. */
export async function refuseAllButSelect(connection: DuckDBConnection, sql: string): Promise<void> {
  const { StatementType } = await import('@duckdb/node-api');
  try {
    const statements = await connection.extractStatements(sql);
    if (statements.count === 1) {
      const statement = await statements.prepare(0);
      const type = statement.statementType;
      statement.destroySync();
      if (type === StatementType.SELECT) return;
    }
  } catch (cause) {
    throw duckError('SQL query', cause);
  }
  throw new LatheError('usage', `SQL query: expected one SELECT, got ${quoteText(sql.slice(0, 200))}`, {
    hint: 'A source only reads; several steps can stand in one query: with a as (select …) select … from a.',
  });
}
