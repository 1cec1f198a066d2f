import { z } from 'zod';

const paths = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

/**
 * Where rows come from. `path` is a file, a folder, a pattern (`*`, `**`, `?`) or a list of them; files ending in `.gz`
 * are unpacked as they are read.
 */
export const sourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('csv'),
    path: paths,
    /** One character. Default: what the first line suggests among comma, semicolon, tab and bar. */
    delimiter: z.string().length(1).optional(),
    quote: z.string().length(1).default('"'),
    /** Whether the first line names the columns; without names they are `column1`, `column2`, … */
    header: z.boolean().default(true),
    /** A character set by its name on the web: utf-8, windows-1252, shift_jis. UTF-16 is known by its byte order mark. */
    encoding: z.string().default('utf-8'),
  }),
  z.strictObject({ kind: z.literal('jsonl'), path: paths }),
  z.strictObject({ kind: z.literal('json'), path: paths }),
  z.strictObject({ kind: z.literal('parquet'), path: paths }),
  z.strictObject({
    kind: z.literal('conll'),
    /** Files of the CoNLL shared tasks: `token … tag` a line, an empty line behind a sentence. */
    path: paths,
  }),
  z.strictObject({
    kind: z.literal('sql'),
    /** A DuckDB query that only reads, over files by their paths: `select * from 'reviews/*.parquet' where stars <> 3`. */
    query: z.string().min(1),
  }),
  z.strictObject({
    kind: z.literal('folder'),
    /** `split/label/file`, `label/file`, or files beside a `metadata.csv`, `.jsonl` or `.parquet` with `file_name`. */
    path: z.string().min(1),
  }),
  z.strictObject({
    kind: z.literal('mail'),
    /** Mails (RFC 822), one a file; the folder that a mail stands in is its `label`. */
    path: paths,
  }),
  z.strictObject({
    kind: z.literal('mail-json'),
    /** JSON files `{ id, group, text }`, one a mail; `group` is its `label`. A `.txt` beside holds the mail's own bytes. */
    path: paths,
  }),
]);

/** A {@link sourceSchema} as read. */
export type Source = z.infer<typeof sourceSchema>;

/** A {@link sourceSchema} as written: defaults may be left out. */
export type SourceInput = z.input<typeof sourceSchema>;

export type SourceKind = Source['kind'];

/** What a source is called by: the last part of where it is. */
export function sourceTitle(source: Source): string {
  if (source.kind === 'sql') return 'SQL query';
  return [source.path]
    .flat()
    .map((path) => path.split('/').filter(Boolean).slice(-2).join('/'))
    .join(', ');
}

export interface ReadOptions {
  /** What relative paths are relative to. Default: the working directory. */
  readonly directory?: string;
  readonly signal?: AbortSignal;
  /** Called now and then with the bytes or files done and, when known, to do. */
  readonly onProgress?: Progress;
}

export type Progress = (done: number, total: number | undefined, what: string) => void;
