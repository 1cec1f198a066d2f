import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LatheError } from '../../base/index.ts';
import { type Column, excerptOf, type Row, type RowBatch, type RowReader, type UnreadableRow } from '../row.ts';
import { type CsvLayout, csvLayout, recordStarts } from './csv-layout.ts';
import { connectDuckDB, quoteText } from './duckdb.ts';
import { hashFiles, listFiles, type SourceFile } from './files.ts';
import { openBytes } from './lines.ts';
import { describeQuery, distinctNames, queryRows } from './query.ts';
import type { ReadOptions, Source } from './source.ts';

type CsvSource = Extract<Source, { kind: 'csv' }>;

const HEAD_BYTES = 1 << 20;
/** DuckDB holds two buffers of this and more; longer records are reported as unreadable. */
const LONGEST_RECORD = 1 << 24;

interface CsvFile {
  readonly file: SourceFile;
  /** What DuckDB reads: the file itself, or a copy of it in UTF-8. */
  readonly path: string;
  readonly layout: CsvLayout;
  readonly names: readonly string[];
}

/**
 * The rows of CSV and TSV files. Every cell is text as written; a cell of nothing without quotes is null. Records that do
 * not fit (too many or too few cells, broken quotes, bytes that are not UTF-8) are left out and reported by their lines.
 */
export async function readCsv(source: CsvSource, options: ReadOptions): Promise<RowReader> {
  const files = await listFiles(source.path, options.directory ?? process.cwd(), [
    '.csv',
    '.tsv',
    '.csv.gz',
    '.tsv.gz',
  ]);
  const copies: string[] = [];
  const notes: string[] = [];
  const unreadable: UnreadableRow[] = [];
  const opened: CsvFile[] = [];
  for (const file of files) opened.push(await openCsv(file, source, copies, notes));
  const columns = new Map<string, Column>();
  for (const { names } of opened) for (const name of names) columns.set(name, { name, type: 'text' });

  async function* batches(): AsyncGenerator<RowBatch> {
    const total = files.some(({ path }) => path.endsWith('.gz'))
      ? undefined
      : files.reduce((sum, { bytes }) => sum + bytes, 0);
    let done = 0;
    for (const csv of opened) {
      if (csv.names.length === 0) continue;
      let count = 0;
      for await (const rows of csvRows(csv, source, unreadable, options)) {
        const first = count + 1;
        yield { file: csv.file.name, rows, numbers: rows.map((_, index) => first + index) };
        count += rows.length;
        for (const row of rows) for (const name in row) done += String(row[name] ?? '').length + 1;
        options.onProgress?.(
          total === undefined ? done : Math.min(done, total),
          total,
          `reading ${basename(csv.file.name)}`,
        );
      }
    }
  }
  return {
    columns: [...columns.values()],
    batches: batches(),
    unreadable,
    notes,
    async locate(name, numbers) {
      const csv = opened.find(({ file }) => file.name === name)!;
      return locateRecords(csv, source, numbers, unreadable);
    },
    hash: () => hashFiles(files),
    async close() {
      for (const copy of copies) await rm(copy, { force: true });
    },
  };
}

async function openCsv(file: SourceFile, source: CsvSource, copies: string[], notes: string[]): Promise<CsvFile> {
  const start = await readHead(file);
  const encoding = encodingOf(start, source.encoding);
  let path = file.path;
  let text: string;
  if (encoding === 'utf-8') text = wholeLines(new TextDecoder('utf-8').decode(start), start.length);
  else {
    path = join(tmpdir(), `lathe-utf8-${process.pid}-${randomBytes(6).toString('hex')}.csv`);
    copies.push(path);
    await convert(file, encoding, path);
    text = wholeLines(new TextDecoder(encoding).decode(start), start.length);
    if (encoding !== source.encoding) notes.push(`${file.name}: read as ${encoding}, as its byte order mark says`);
  }
  const delimiter = source.delimiter ?? (/\.tsv(\.gz)?$/i.test(file.path) ? '\t' : undefined);
  const layout = csvLayout(text, source.quote, delimiter);
  if (source.header && layout.first.some((name) => name.includes('\ufffd'))) {
    throw new LatheError('invalid-data', `${file.name}: the names of the columns are not UTF-8`, {
      hint: 'Say how the file is encoded, for example encoding: windows-1252.',
    });
  }
  if (layout.mixedLineEnds) notes.push(`${file.name}: some lines end in a carriage return and others do not`);
  const written = source.header ? layout.first : layout.first.map((_, index) => `column${index + 1}`);
  const names = distinctNames(written);
  for (const [index, name] of names.entries()) {
    if (name !== written[index]) {
      const had = written[index]!.trim() === '' ? 'a column without a name' : `a second column "${written[index]}"`;
      notes.push(`${file.name}: ${had} is called "${name}"`);
    }
  }
  return { file, path, layout, names };
}

async function readHead(file: SourceFile): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of openBytes(file.path)) {
    pieces.push(piece);
    length += piece.length;
    if (length >= HEAD_BYTES) break;
  }
  return Buffer.concat(pieces);
}

/** Without the line that the head may have cut. */
function wholeLines(text: string, bytes: number): string {
  return bytes < HEAD_BYTES
    ? text
    : text.slice(0, Math.max(text.lastIndexOf('\n') + 1, text.lastIndexOf('\r') + 1) || text.length);
}

function encodingOf(start: Uint8Array, asked: string): string {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le';
  if (start[0] === 0xfe && start[1] === 0xff) return 'utf-16be';
  try {
    return new TextDecoder(asked).encoding;
  } catch (cause) {
    throw new LatheError('usage', `encoding: there is none called ${JSON.stringify(asked)}`, {
      hint: 'Names are those of the web: utf-8, windows-1252, iso-8859-15, utf-16le, shift_jis, gbk, …',
      cause,
    });
  }
}

async function convert(file: SourceFile, encoding: string, to: string): Promise<void> {
  const decoder = new TextDecoder(encoding);
  async function* texts(): AsyncGenerator<string> {
    for await (const piece of openBytes(file.path)) yield decoder.decode(piece, { stream: true });
    yield decoder.decode();
  }
  await pipeline(Readable.from(texts()), createWriteStream(to, { flags: 'wx', mode: 0o600 }));
}

async function* csvRows(
  csv: CsvFile,
  source: CsvSource,
  unreadable: UnreadableRow[],
  options: ReadOptions,
): AsyncGenerator<Row[]> {
  const { delimiter, quote, emptyLines, mixedLineEnds } = csv.layout;
  const types = csv.names.map((name) => `${quoteText(name)}: 'VARCHAR'`).join(', ');
  const settings = {
    auto_detect: false,
    columns: `{${types}}`,
    header: source.header,
    skip: emptyLines,
    delim: quoteText(delimiter),
    quote: quoteText(quote),
    escape: quoteText(quote),
    compression: quoteText(csv.path.toLowerCase().endsWith('.gz') ? 'gzip' : 'none'),
    // DuckDB's strict reading refuses files that mix line ends.
    strict_mode: !mixedLineEnds,
    allow_quoted_nulls: false,
    max_line_size: LONGEST_RECORD,
    buffer_size: 2 * LONGEST_RECORD,
    store_rejects: true,
    rejects_limit: 0,
  };
  const sql = `select * from read_csv(${quoteText(csv.path)}, ${Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')})`;
  const connection = await connectDuckDB();
  try {
    const columns = await describeQuery(connection, sql, csv.file.name);
    yield* queryRows(connection, sql, columns, csv.file.name, options.signal);
    const rejects = await connection.runAndReadAll(
      `select line_byte_position as position, min(error_type) as kind, min(error_message) as message, min(csv_line) as record
       from reject_errors where line_byte_position is not null group by position order by position`,
    );
    const rows = rejects.getRowObjectsJS() as {
      position: bigint;
      kind: string;
      message: string;
      record: string | null;
    }[];
    if (rows.length > 0) unreadable.push(...(await withLines(csv, rows)));
  } finally {
    connection.closeSync();
  }
}

/** Gives refused records their lines: DuckDB knows their offsets, and counts records where people count lines. */
async function withLines(
  csv: CsvFile,
  refused: readonly { position: bigint; kind: string; message: string; record: string | null }[],
): Promise<UnreadableRow[]> {
  const out: UnreadableRow[] = [];
  let next = 0;
  let line = 1;
  const report = (): void => {
    const { kind, message, record } = refused[next]!;
    const text = (record ?? '').replace(/^[\r\n]+/, '');
    out.push({ file: csv.file.name, line, reason: reasonOf(kind, message, text), excerpt: excerptOf(text) });
    next++;
  };
  scanning: for await (const starts of recordStarts(openBytes(csv.path), csv.layout)) {
    for (const start of starts) {
      while (next < refused.length && start.offset > Number(refused[next]!.position) + 1) report();
      if (next === refused.length) break scanning;
      line = start.line;
    }
  }
  while (next < refused.length) report();
  return out;
}

function reasonOf(kind: string, message: string, record: string): string {
  switch (kind) {
    case 'TOO MANY COLUMNS':
    case 'MISSING COLUMNS': {
      const numbers = /(\d+)\D+(\d+)/.exec(message);
      return numbers === null ? message : `expected ${numbers[1]} cells, got ${numbers[2]}`;
    }
    case 'UNQUOTED VALUE': {
      const lines = record.trimEnd().split('\n').length;
      return lines > 1
        ? `a quote that never closes: ${lines} lines from here on are lost`
        : 'text behind a closing quote';
    }
    case 'INVALID ENCODING':
      return 'bytes that are not UTF-8';
    case 'LINE SIZE OVER MAXIMUM':
      return `a record of more than ${LONGEST_RECORD} bytes`;
    default:
      return message;
  }
}

/** Lines of the records that were read, by their numbers among these, ascending. */
async function locateRecords(
  csv: CsvFile,
  source: CsvSource,
  numbers: readonly number[],
  unreadable: readonly UnreadableRow[],
): Promise<number[]> {
  const refused = new Set(unreadable.filter(({ file }) => file === csv.file.name).map(({ line }) => line));
  const lines: number[] = [];
  let number = source.header ? -1 : 0;
  for await (const starts of recordStarts(openBytes(csv.path), csv.layout)) {
    for (const { line } of starts) {
      if (refused.has(line)) continue;
      number++;
      while (lines.length < numbers.length && numbers[lines.length] === number) lines.push(line);
    }
    if (lines.length === numbers.length) break;
  }
  while (lines.length < numbers.length) lines.push(numbers[lines.length]!);
  return lines;
}
