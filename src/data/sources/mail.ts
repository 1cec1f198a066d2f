import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { parseMail } from '../mail.ts';
import type { Column, Row, RowBatch, RowReader, UnreadableRow } from '../row.ts';
import { excerptOf } from '../row.ts';
import { listFiles, type SourceFile, statOf } from './files.ts';
import type { ReadOptions } from './source.ts';

const COLUMNS: readonly Column[] = ['text', 'label', 'from', 'subject', 'body', 'file'].map((name) => ({
  name,
  type: 'text',
}));
const BATCH = 128;

interface RawMail {
  readonly bytes: Uint8Array | string;
  readonly label: string;
}

/** Folders of mails, one a file: columns text, label (the mail's folder), from, subject, body, file. */
export async function readMailFolder(paths: string | readonly string[], options: ReadOptions): Promise<RowReader> {
  const files = await listFiles(paths, options.directory ?? process.cwd(), ['.eml', '.msg', '.txt', '.mail', '']);
  return mailReader(files, options, async (file) => ({
    bytes: await readFile(file.path),
    label: basename(dirname(file.path)),
  }));
}

/**
 * Folders of JSON files `{ id, group, text }`, one a mail: columns as {@link readMailFolder}, the label is the group.
 * JSON holds text, so bytes that are not UTF-8 are lost in it: where a `.txt` of the same name holds the mail itself,
 * that is read instead.
 */
export async function readMailJson(paths: string | readonly string[], options: ReadOptions): Promise<RowReader> {
  const files = await listFiles(paths, options.directory ?? process.cwd(), ['.json']);
  const mails = files.filter((file) => basename(file.path) !== 'file_list.json');
  return mailReader(mails, options, async (file) => {
    const parsed: unknown = JSON.parse(await readFile(file.path, 'utf8'));
    const mail = parsed as { group?: unknown; text?: unknown } | null;
    if (typeof mail?.text !== 'string') throw new TypeError('expected an object with a "text" that holds the mail');
    const raw = file.path.replace(/\.json$/, '.txt');
    return {
      bytes: statOf(raw)?.isFile() ? await readFile(raw) : mail.text,
      label: typeof mail.group === 'string' ? mail.group : basename(dirname(file.path)),
    };
  });
}

function mailReader(
  files: readonly SourceFile[],
  options: ReadOptions,
  read: (file: SourceFile) => Promise<RawMail>,
): RowReader {
  const unreadable: UnreadableRow[] = [];
  const hash = createHash('sha256');
  const readOne = async (file: SourceFile) => {
    const { bytes, label } = await read(file);
    return { raw: bytes, label, ...(await parseMail(bytes)) };
  };
  async function* batches(): AsyncGenerator<RowBatch> {
    for (let start = 0; start < files.length; start += BATCH) {
      options.signal?.throwIfAborted();
      const rows: Row[] = [];
      const numbers: number[] = [];
      const some = files.slice(start, start + BATCH);
      // Together, because reading a file and decoding a body both wait for threads.
      const mails = await Promise.all(some.map((file) => readOne(file).catch((cause: unknown) => cause as Error)));
      for (const [index, mail] of mails.entries()) {
        const file = some[index]!;
        if (mail instanceof Error) {
          unreadable.push({ file: file.inside, line: 0, reason: excerptOf(mail.message, 200), excerpt: '' });
          continue;
        }
        const { raw, label, from, subject, body, text } = mail;
        hash.update(`${file.inside}\0${label}\0`).update(raw);
        const isEmpty = body === '' && subject === '';
        rows.push({ text: isEmpty ? '' : text, label, from, subject, body, file: file.inside });
        numbers.push(0);
      }
      options.onProgress?.(Math.min(files.length, start + BATCH), files.length, 'reading mails');
      yield { file: rows.map((row) => row.file as string), rows, numbers };
    }
  }
  return {
    columns: COLUMNS,
    batches: batches(),
    unreadable,
    notes: [],
    locate: async (_file, numbers) => numbers,
    hash: async () => hash.digest('hex'),
    close: async () => {},
  };
}
