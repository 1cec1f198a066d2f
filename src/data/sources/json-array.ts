import { excerptOf, type Row, type RowBatch, type RowReader, type UnreadableRow, type Value } from '../row.ts';
import { connectDuckDB, quoteText } from './duckdb.ts';
import { hashFiles, listFiles, type SourceFile } from './files.ts';
import { ColumnSample, jsonLinesReader, rowOf } from './json-lines.ts';
import { openBytes } from './lines.ts';
import { describeQuery, queryRows } from './query.ts';
import type { ReadOptions } from './source.ts';
import { looksLikeSquad, readSquad } from './squad.ts';

const LARGEST_OBJECT = 1 << 27;
const SAMPLE_ROWS = 10_000;

/**
 * Files that hold a JSON array of objects, read an object at a time; a row's line is its number in the array. Files that
 * hold an object a line are read as such, whatever their name, and so are files in SQuAD's layout.
 */
export async function readJson(paths: string | readonly string[], options: ReadOptions): Promise<RowReader> {
  const files = await listFiles(paths, options.directory ?? process.cwd(), ['.json', '.json.gz']);
  const beginnings = await Promise.all(files.map((file) => beginningOf(file)));
  if (beginnings.every(looksLikeSquad)) return readSquad(files, options);
  if (beginnings.every((beginning) => beginning.startsWith('{'))) return jsonLinesReader(files, options);

  const columns = new ColumnSample();
  for (const file of files) {
    for await (const values of jsonValues(file, options, SAMPLE_ROWS)) {
      for (const value of values) {
        const row = rowOf(value);
        if (typeof row === 'object') columns.see(row);
      }
    }
  }
  const unreadable: UnreadableRow[] = [];
  async function* batches(): AsyncGenerator<RowBatch> {
    let read = 0;
    for (const file of files) {
      let number = 0;
      for await (const values of jsonValues(file, options)) {
        const rows: Row[] = [];
        const numbers: number[] = [];
        for (const value of values) {
          number++;
          const row = rowOf(value);
          if (typeof row === 'object') {
            rows.push(row);
            numbers.push(number);
          } else
            unreadable.push({ file: file.name, line: number, reason: row, excerpt: excerptOf(JSON.stringify(value)) });
        }
        read += rows.length;
        options.onProgress?.(read, undefined, 'reading rows');
        yield { file: file.name, rows, numbers };
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

async function* jsonValues(file: SourceFile, options: ReadOptions, limit?: number): AsyncGenerator<Value[]> {
  if (file.bytes === 0) return;
  const connection = await connectDuckDB();
  try {
    const sql = `select json from read_json_objects(${quoteText(file.path)}, format = 'array', maximum_object_size = ${LARGEST_OBJECT})${
      limit === undefined ? '' : ` limit ${limit}`
    }`;
    const columns = await describeQuery(connection, sql, file.name);
    for await (const rows of queryRows(connection, sql, columns, file.name, options.signal))
      yield rows.map((row) => row.json as Value);
  } finally {
    connection.closeSync();
  }
}

/** The first thousands of characters, from the first that is no space. */
async function beginningOf(file: SourceFile): Promise<string> {
  for await (const bytes of openBytes(file.path)) {
    const found = bytes
      .subarray(0, 65_536)
      .toString('utf8')
      .replace(/^[\s\ufeff]+/, '');
    if (found !== '') return found;
  }
  return '';
}
