import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { LatheError } from '../../base/index.ts';
import type { Row, RowReader, Value } from '../row.ts';
import { hashFiles, type SourceFile } from './files.ts';
import type { ReadOptions } from './source.ts';

type Part = Readonly<Record<string, Value>>;

/** Whether the beginning of a JSON file is that of a file in SQuAD's layout. */
export function looksLikeSquad(beginning: string): boolean {
  return /"paragraphs"\s*:\s*\[/.test(beginning);
}

/**
 * Files in SQuAD's layout, `{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers"}]}]}]}`: a row
 * a question, with `answers` as `{"text": […], "answer_start": […]}`. A row's line is its number in the file.
 */
export async function readSquad(files: readonly SourceFile[], options: ReadOptions): Promise<RowReader> {
  return {
    columns: ['id', 'title', 'question', 'context', 'answers'].map((name) => ({
      name,
      type: name === 'answers' ? 'json' : 'text',
    })),
    batches: (async function* () {
      for (const file of files) {
        options.signal?.throwIfAborted();
        const rows = rowsOf(await contentOf(file), file.name);
        yield { file: file.name, rows, numbers: rows.map((_, index) => index + 1) };
        options.onProgress?.(file.bytes, file.bytes, 'reading questions');
      }
    })(),
    unreadable: [],
    notes: [],
    locate: async (_file, numbers) => numbers,
    hash: () => hashFiles(files),
    close: async () => {},
  };
}

async function contentOf({ path, name }: SourceFile): Promise<Part> {
  const bytes = await readFile(path);
  const text = (path.endsWith('.gz') ? await promisify(gunzip)(bytes) : bytes).toString('utf8');
  try {
    return JSON.parse(text) as Part;
  } catch (cause) {
    throw new LatheError('invalid-data', `${name}: not JSON: ${(cause as Error).message}`, { cause });
  }
}

function rowsOf(content: Part, file: string): Row[] {
  const listIn = (part: Part, name: string): readonly Part[] => {
    const found = part[name] ?? [];
    if (Array.isArray(found)) return found as readonly Part[];
    throw new LatheError('invalid-data', `${file}: expected "${name}" to be a list`);
  };
  return listIn(content, 'data').flatMap((article) =>
    listIn(article, 'paragraphs').flatMap((paragraph) =>
      listIn(paragraph, 'qas').map((question): Row => {
        const answers = question.is_impossible === true ? [] : listIn(question, 'answers');
        return {
          id: question.id ?? null,
          title: article.title ?? null,
          question: question.question ?? null,
          context: paragraph.context ?? null,
          answers: {
            text: answers.map(({ text }) => text ?? null),
            answer_start: answers.map(({ answer_start: start }) => start ?? null),
          },
        };
      }),
    ),
  );
}
