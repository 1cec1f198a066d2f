import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, extname, join, relative, resolve, sep } from 'node:path';
import { LatheError } from '../../base/index.ts';
import { decodeImage, IMAGE_EXTENSIONS } from '../images/decode.ts';
import { fingerprint } from '../images/fingerprint.ts';
import { type Column, excerptOf, type Row, type RowBatch, type RowReader, textOf, type UnreadableRow } from '../row.ts';
import { splitOf } from '../split.ts';
import { readCsv } from './csv.ts';
import { hasExtension, isInside, type SourceFile, statOf, walk } from './files.ts';
import { FINGERPRINT, SHA256 } from './image-columns.ts';
import { readJson } from './json-array.ts';
import { readJsonLines } from './json-lines.ts';
import { decodeUtf8 } from './lines.ts';
import { readParquet } from './parquet.ts';
import type { ReadOptions } from './source.ts';

const BATCH = 256;
/** Images unpacked at a time: enough to keep the threads of the decoder busy. */
const IMAGE_BATCH = 16;
const LARGEST_FILE = 1 << 26;

/** How a table file is read, by its extension. */
const TABLES: Readonly<Record<string, (path: string, options: ReadOptions) => Promise<RowReader>>> = {
  '.csv': (path, options) => readCsv({ kind: 'csv', path, quote: '"', header: true, encoding: 'utf-8' }, options),
  '.tsv': (path, options) => readCsv({ kind: 'csv', path, quote: '"', header: true, encoding: 'utf-8' }, options),
  '.jsonl': readJsonLines,
  '.json': readJson,
  '.parquet': readParquet,
};
const METADATA = ['metadata.csv', 'metadata.jsonl', 'metadata.parquet'];

/** A sample that is a file of its own. */
interface Sample {
  readonly file: SourceFile;
  readonly row: Row;
}

/**
 * A folder of samples, in one of four layouts, looked for in this order: tables named for splits (`train.csv`,
 * `test.csv`); files beside a `metadata` table that names them in `file_name`, in the folder or in a folder a split;
 * `split/label/file`; `label/file`. Files are text in UTF-8 and become the column `text`, or, where most of them are images by
 * their names, images: their paths in the folder become the column `image`, beside `width`, `height`, `channels`, `sha256` and
 * `fingerprint`.
 */
export async function readFolder(path: string, options: ReadOptions): Promise<RowReader> {
  const root = resolve(options.directory ?? process.cwd(), path);
  const stats = statOf(root);
  if (stats === undefined) throw new LatheError('not-found', `${path}: no such folder`);
  if (!stats.isDirectory()) {
    throw new LatheError('invalid-data', `${path}: expected a folder, got a file`, {
      hint: 'Read a file by its kind: csv, jsonl, json, parquet or mail.',
    });
  }
  const files = (await walk(root, (file) => !basename(file).startsWith('.'))).map((file) => ({
    ...file,
    name: join(path, file.name),
    parts: file.name.split('/'),
  }));
  const tables = files.filter(
    ({ parts }) =>
      parts.length === 1 &&
      extname(parts[0]!) in TABLES &&
      splitOf(basename(parts[0]!, extname(parts[0]!))) !== undefined,
  );
  if (tables.length > 0) return tablesReader(tables, options);
  const metadata = files.filter(({ parts }) => METADATA.includes(parts.at(-1)!) && parts.length <= 2);
  if (metadata.length > 0) return metadataReader(metadata, root, options);

  const isSplit = (parts: readonly string[]): boolean => parts.length === 3 && splitOf(parts[0]!) !== undefined;
  const bySplit = files.filter(({ parts }) => isSplit(parts));
  const byLabel = files.filter(({ parts }) => parts.length === 2);
  if (bySplit.length > 0) {
    return samplesReader(
      bySplit.map((file) => ({ file, row: { label: file.parts[1]!, split: splitOf(file.parts[0]!)! } })),
      textColumns(['label', 'split']),
      options,
    );
  }
  if (byLabel.length > 0) {
    return samplesReader(
      byLabel.map((file) => ({ file, row: { label: file.parts[0]! } })),
      textColumns(['label']),
      options,
    );
  }
  throw new LatheError('invalid-data', `${path}: a folder of no layout that is known`, {
    hint: 'Known are train.csv and test.csv (or .tsv, .jsonl, .json, .parquet), a metadata table with file_name, split/label/file, and label/file.',
  });
}

function textColumns(names: readonly string[]): Column[] {
  return names.map((name) => ({ name, type: 'text' }));
}

async function tablesReader(
  tables: readonly (SourceFile & { readonly parts: readonly string[] })[],
  options: ReadOptions,
): Promise<RowReader> {
  const readers = await Promise.all(tables.map((table) => TABLES[extname(table.path)]!(table.path, options)));
  const nameOf = new Map(tables.map(({ path, name }) => [path, name]));
  const columns = new Map(readers.flatMap((reader) => reader.columns.map((column) => [column.name, column])));
  columns.set('split', { name: 'split', type: 'text' });
  const unreadable: UnreadableRow[] = [];
  async function* batches(): AsyncGenerator<RowBatch> {
    for (const [index, reader] of readers.entries()) {
      const { path, parts, name } = tables[index]!;
      const split = splitOf(basename(path, extname(parts[0]!)))!;
      for await (const batch of reader.batches) {
        yield { file: name, rows: batch.rows.map((row) => ({ ...row, split })), numbers: batch.numbers };
      }
      unreadable.push(...reader.unreadable.map((row) => ({ ...row, file: nameOf.get(row.file) ?? row.file })));
    }
  }
  return {
    columns: [...columns.values()],
    batches: batches(),
    unreadable,
    notes: readers.flatMap((reader) => reader.notes),
    locate: (file, numbers) => {
      const index = tables.findIndex(({ name }) => name === file);
      return readers[index]!.locate(tables[index]!.path, numbers);
    },
    hash: async () => hashOf(await Promise.all(readers.map((reader) => reader.hash()))),
    close: async () => void (await Promise.all(readers.map((reader) => reader.close()))),
  };
}

async function metadataReader(
  metadata: readonly (SourceFile & { readonly parts: readonly string[] })[],
  root: string,
  options: ReadOptions,
): Promise<RowReader> {
  const samples: Sample[] = [];
  const unreadable: UnreadableRow[] = [];
  const notes: string[] = [];
  const columns = new Map<string, Column>();
  for (const { path, name, parts } of metadata) {
    const reader = await TABLES[extname(path)]!(path, options);
    const folder = resolve(path, '..');
    const split = parts.length === 2 ? splitOf(parts[0]!) : undefined;
    try {
      if (!reader.columns.some((column) => column.name === 'file_name')) {
        throw new LatheError('invalid-data', `${name}: there is no column "file_name"`, {
          hint: `The columns are ${reader.columns.map((column) => `"${column.name}"`).join(', ')}.`,
        });
      }
      for (const column of reader.columns) if (column.name !== 'file_name') columns.set(column.name, column);
      if (split !== undefined) columns.set('split', { name: 'split', type: 'text' });
      for await (const { rows, numbers } of reader.batches) {
        for (const [index, { file_name: written, ...rest }] of rows.entries()) {
          const file = textOf(written);
          const full = file === undefined ? undefined : resolve(folder, file);
          const stats = full === undefined ? undefined : statOf(full);
          if (full === undefined || !stats?.isFile() || !isInside(full, folder)) {
            const line = (await reader.locate(path, [numbers[index]!]))[0]!;
            unreadable.push({
              file: name,
              line,
              reason: 'file_name names no file there',
              excerpt: excerptOf(file ?? ''),
            });
            continue;
          }
          samples.push({
            file: {
              path: full,
              name: join(name, '..', file!),
              inside: relative(root, full).split(sep).join('/'),
              bytes: stats.size,
            },
            row: { ...rest, ...(split !== undefined && { split }) },
          });
        }
      }
      unreadable.push(...reader.unreadable.map((row) => ({ ...row, file: name })));
      notes.push(...reader.notes);
    } finally {
      await reader.close();
    }
  }
  return samplesReader(samples, [...columns.values()], options, unreadable, notes);
}

function samplesReader(
  samples: readonly Sample[],
  columns: readonly Column[],
  options: ReadOptions,
  unreadable: UnreadableRow[] = [],
  notes: readonly string[] = [],
): RowReader {
  const images = samples.filter(({ file }) => hasExtension(file.path, IMAGE_EXTENSIONS)).length;
  const [reader, own] =
    images * 2 > samples.length ? ([imagesReader, IMAGE_COLUMNS] as const) : ([textsReader, TEXT_COLUMNS] as const);
  const taken = columns.filter(({ name }) => own.some((column) => column.name === name)).map(({ name }) => name);
  if (taken.length === 0) return reader(samples, columns, options, unreadable, notes);
  const isFree = (name: string): boolean => !taken.includes(name);
  return reader(
    samples.map(({ file, row }) => ({
      file,
      row: Object.fromEntries(Object.entries(row).filter(([name]) => isFree(name))),
    })),
    columns.filter(({ name }) => isFree(name)),
    options,
    unreadable,
    [...notes, ...taken.map((name) => `column "${name}" of the metadata is left out: it is what the file itself says`)],
  );
}

/** What files are by themselves; other columns stand behind the first of these. */
const IMAGE_COLUMNS: readonly Column[] = [
  { name: 'image', type: 'text' },
  { name: 'width', type: 'integer' },
  { name: 'height', type: 'integer' },
  { name: 'channels', type: 'integer' },
  { name: SHA256, type: 'text' },
  { name: FINGERPRINT, type: 'text' },
];
const TEXT_COLUMNS: readonly Column[] = textColumns(['text', 'file']);

/** Whether a folder is one of images, as {@link readFolder} would read it. */
export async function holdsImages(folder: string): Promise<boolean> {
  const files = await walk(folder, (file) => !basename(file).startsWith('.') && !METADATA.includes(basename(file)));
  return files.filter(({ path }) => hasExtension(path, IMAGE_EXTENSIONS)).length * 2 > files.length;
}

function imagesReader(
  samples: readonly Sample[],
  columns: readonly Column[],
  options: ReadOptions,
  unreadable: UnreadableRow[],
  notes: readonly string[],
): RowReader {
  const hash = createHash('sha256');
  const rowOf = async ({ file, row }: Sample): Promise<Row | string> => {
    if (file.bytes > LARGEST_FILE) return `a file of more than ${LARGEST_FILE} bytes`;
    const bytes = await readFile(file.path);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    try {
      const image = await decodeImage(bytes, { name: '' });
      const { width, height, channels } = image;
      return { image: file.inside, ...row, width, height, channels, sha256, fingerprint: fingerprint(image) };
    } catch (error) {
      if (error instanceof LatheError) return error.message.split('\n')[0]!.replace(/^: /, '');
      throw error;
    }
  };
  async function* batches(): AsyncGenerator<RowBatch> {
    for (let start = 0; start < samples.length; start += IMAGE_BATCH) {
      options.signal?.throwIfAborted();
      const some = samples.slice(start, start + IMAGE_BATCH);
      const rows: Row[] = [];
      const files: string[] = [];
      for (const [index, read] of (await Promise.all(some.map(rowOf))).entries()) {
        const { file } = some[index]!;
        hash.update(`${file.inside}\0${typeof read === 'string' ? '' : String(read.sha256)}\0`);
        if (typeof read === 'string') {
          unreadable.push({ file: file.name, line: 0, reason: read, excerpt: '' });
          continue;
        }
        rows.push(read);
        files.push(file.name);
      }
      options.onProgress?.(Math.min(samples.length, start + IMAGE_BATCH), samples.length, 'reading images');
      yield { file: files, rows, numbers: new Uint8Array(rows.length) };
    }
  }
  const [image, ...measured] = IMAGE_COLUMNS;
  return {
    columns: [image!, ...columns, ...measured],
    batches: batches(),
    unreadable,
    notes,
    locate: async (_file, numbers) => numbers,
    hash: async () => hash.digest('hex'),
    close: async () => {},
  };
}

function textsReader(
  samples: readonly Sample[],
  columns: readonly Column[],
  options: ReadOptions,
  unreadable: UnreadableRow[],
  notes: readonly string[],
): RowReader {
  const hash = createHash('sha256');
  async function* batches(): AsyncGenerator<RowBatch> {
    for (let start = 0; start < samples.length; start += BATCH) {
      options.signal?.throwIfAborted();
      const some = samples.slice(start, start + BATCH);
      const contents = await Promise.all(
        some.map(({ file }) => (file.bytes > LARGEST_FILE ? undefined : readFile(file.path))),
      );
      const rows: Row[] = [];
      const files: string[] = [];
      for (const [index, { file, row }] of some.entries()) {
        const bytes = contents[index];
        const text = bytes === undefined ? undefined : decodeUtf8(bytes);
        hash.update(`${file.inside}\0`).update(bytes ?? '');
        if (text === undefined || text.includes('\0')) {
          const reason =
            bytes === undefined
              ? `a file of more than ${LARGEST_FILE} bytes`
              : text === undefined
                ? 'bytes that are not UTF-8'
                : 'not a text file';
          unreadable.push({ file: file.name, line: 0, reason, excerpt: '' });
          continue;
        }
        rows.push({ text: text.startsWith('\ufeff') ? text.slice(1) : text, ...row, file: file.inside });
        files.push(file.name);
      }
      options.onProgress?.(Math.min(samples.length, start + BATCH), samples.length, 'reading files');
      yield { file: files, rows, numbers: new Uint8Array(rows.length) };
    }
  }
  return {
    columns: [TEXT_COLUMNS[0]!, ...columns, TEXT_COLUMNS[1]!],
    batches: batches(),
    unreadable,
    notes,
    locate: async (_file, numbers) => numbers,
    hash: async () => hash.digest('hex'),
    close: async () => {},
  };
}

function hashOf(hashes: readonly string[]): string {
  const hash = createHash('sha256');
  for (const one of hashes) hash.update(one);
  return hash.digest('hex');
}
