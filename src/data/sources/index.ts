import type { RowReader } from '../row.ts';
import { readMailFolder, readMailJson } from './mail.ts';
import type { ReadOptions, Source, SourceKind } from './source.ts';

type SourceOf<Kind extends SourceKind> = Extract<Source, { kind: Kind }>;

const READERS: {
  readonly [Kind in SourceKind]?: (source: SourceOf<Kind>, options: ReadOptions) => Promise<RowReader>;
} = {
  mail: (source, options) => readMailFolder(source.path, options),
  'mail-json': (source, options) => readMailJson(source.path, options),
};

/** Opens a source for one reading, in batches: no more than a few thousand rows are in memory at a time. */
export async function readRows(source: Source, options: ReadOptions = {}): Promise<RowReader> {
  const read = READERS[source.kind] as (source: Source, options: ReadOptions) => Promise<RowReader>;
  return read(source, options);
}
