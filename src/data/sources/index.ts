import type { RowReader } from '../row.ts';
import { readConll } from './conll.ts';
import { readCsv } from './csv.ts';
import { readFolder } from './folder.ts';
import { readJson } from './json-array.ts';
import { readJsonLines } from './json-lines.ts';
import { readMailFolder, readMailJson } from './mail.ts';
import { readParquet } from './parquet.ts';
import type { ReadOptions, Source, SourceKind } from './source.ts';
import { readSql } from './sql.ts';

type SourceOf<Kind extends SourceKind> = Extract<Source, { kind: Kind }>;

const READERS: { readonly [Kind in SourceKind]: (source: SourceOf<Kind>, options: ReadOptions) => Promise<RowReader> } =
  {
    csv: readCsv,
    jsonl: (source, options) => readJsonLines(source.path, options),
    json: (source, options) => readJson(source.path, options),
    parquet: (source, options) => readParquet(source.path, options),
    conll: (source, options) => readConll(source.path, options),
    sql: (source, options) => readSql(source.query, options),
    folder: (source, options) => readFolder(source.path, options),
    mail: (source, options) => readMailFolder(source.path, options),
    'mail-json': (source, options) => readMailJson(source.path, options),
  };

/** Opens a source for one reading, in batches: no more than a few thousand rows are in memory at a time. */
export async function readRows(source: Source, options: ReadOptions = {}): Promise<RowReader> {
  const read = READERS[source.kind] as (source: Source, options: ReadOptions) => Promise<RowReader>;
  return read(source, options);
}
