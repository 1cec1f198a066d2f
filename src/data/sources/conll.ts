import { basename } from 'node:path';
import { type Column, excerptOf, type Row, type RowBatch, type RowReader, type UnreadableRow } from '../row.ts';
import { hashFiles, listFiles } from './files.ts';
import { readLines } from './lines.ts';
import type { ReadOptions } from './source.ts';

const SENTENCES = 1000;

/**
 * Sentences of files in the form of the CoNLL shared tasks: a line a token, whose first column is the token and whose last
 * its tag, columns divided by tabs or else by spaces; an empty line behind a sentence. Rows have `tokens` and `tags`, and
 * `document` where lines `-DOCSTART-` say where one begins. A sentence with a line of one column is unreadable.
 */
export async function readConll(paths: string | readonly string[], options: ReadOptions): Promise<RowReader> {
  const files = await listFiles(paths, options.directory ?? process.cwd(), ['.conll', '.conll.gz', '.iob', '.bio']);
  const unreadable: UnreadableRow[] = [];
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let document = 0;

  async function* sentences(path: string, name: string): AsyncGenerator<{ row: Row; line: number }> {
    let tokens: string[] = [];
    let tags: string[] = [];
    let first = 1;
    let broken: UnreadableRow | undefined;
    let inDocuments = false;
    const take = function* (): Generator<{ row: Row; line: number }> {
      if (broken !== undefined) unreadable.push(broken);
      else if (tokens.length > 0) {
        yield { row: { tokens, tags, ...(inDocuments && { document: `${name} ${document}` }) }, line: first };
      }
      tokens = [];
      tags = [];
      broken = undefined;
    };
    for await (const batch of readLines(path, options)) {
      for (const [index, line] of batch.lines.entries()) {
        const number = batch.first + index;
        if (line?.trim() === '') {
          yield* take();
          continue;
        }
        const columns = line?.includes('\t') ? line.split('\t') : line?.trim().split(/ +/);
        if (columns?.[0]?.trim() === '-DOCSTART-') {
          yield* take();
          document++;
          inDocuments = true;
          continue;
        }
        if (tokens.length === 0 && broken === undefined) first = number;
        const token = columns?.[0]?.trim() ?? '';
        const tag = columns?.at(-1)?.trim() ?? '';
        if (columns === undefined || columns.length < 2 || token === '' || tag === '') {
          const reason = line === undefined ? 'bytes that are not UTF-8' : 'a line without a token and its tag';
          broken ??= { file: name, line: number, reason, excerpt: excerptOf(line ?? '') };
        }
        tokens.push(token);
        tags.push(tag);
      }
    }
    yield* take();
  }

  async function* batches(): AsyncGenerator<RowBatch> {
    let done = 0;
    for (const file of files) {
      let rows: Row[] = [];
      let numbers: number[] = [];
      for await (const { row, line } of sentences(file.path, file.name)) {
        rows.push(row);
        numbers.push(line);
        if (rows.length < SENTENCES) continue;
        yield { file: file.name, rows, numbers };
        rows = [];
        numbers = [];
      }
      if (rows.length > 0) yield { file: file.name, rows, numbers };
      done += file.bytes;
      options.onProgress?.(done, total, `reading ${basename(file.name)}`);
    }
  }
  const columns: Column[] = ['tokens', 'tags'].map((name) => ({ name, type: 'json' }));
  if (files[0] !== undefined && (await firstLine(files[0].path, options)).startsWith('-DOCSTART-')) {
    columns.push({ name: 'document', type: 'text' });
  }
  return {
    columns,
    batches: batches(),
    unreadable,
    notes: [],
    locate: async (_file, numbers) => numbers,
    hash: () => hashFiles(files),
    close: async () => {},
  };
}

/** The first line with something on it. */
async function firstLine(path: string, options: ReadOptions): Promise<string> {
  for await (const { lines } of readLines(path, options)) {
    const found = lines.find((line) => line === undefined || line.trim() !== '');
    if (found !== undefined) return found.trim();
  }
  return '';
}
