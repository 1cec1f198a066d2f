import { resolve } from 'node:path';
import { LatheError } from '../../base/index.ts';
import { statOf } from './files.ts';
import type { SourceInput, SourceKind } from './source.ts';

const EXTENSIONS: readonly [pattern: RegExp, kind: Exclude<SourceKind, 'sql' | 'folder'>][] = [
  [/\.(csv|tsv)(\.gz)?$/i, 'csv'],
  [/\.(jsonl|ndjson)(\.gz)?$/i, 'jsonl'],
  [/\.json(\.gz)?$/i, 'json'],
  [/\.(parquet|pq)$/i, 'parquet'],
  [/\.(conll|conll2003|iob2?|bio)(\.gz)?$/i, 'conll'],
  [/\.(eml|mail)$/i, 'mail'],
];

/**
 * The source that a command line's words mean: files by their extensions, a folder, or `sql:` and a query. Throws
 * `usage` for files of several kinds, or of none that is known.
 */
export function sourceOf(words: string | readonly string[], directory: string = process.cwd()): SourceInput {
  const list = typeof words === 'string' ? [words] : words;
  const first = list[0];
  if (first === undefined) throw new LatheError('usage', 'no source given: name a file, a folder or sql:QUERY');
  if (list.length === 1 && first.startsWith('sql:')) return { kind: 'sql', query: first.slice('sql:'.length) };
  if (list.length === 1 && statOf(resolve(directory, first))?.isDirectory()) return { kind: 'folder', path: first };
  const kinds = new Set(list.map((word) => EXTENSIONS.find(([pattern]) => pattern.test(word))?.[1]));
  const [kind] = kinds;
  if (kinds.size > 1) {
    throw new LatheError('usage', `files of different kinds: ${list.join(', ')}`, {
      hint: "Read them in one query instead: sql:select … from 'a.csv' union all by name select … from 'b.parquet'",
    });
  }
  if (kind === undefined) {
    const exists = /[*?]/.test(first) || statOf(resolve(directory, first)) !== undefined;
    throw new LatheError(
      exists ? 'usage' : 'not-found',
      exists ? `${first}: a file of no kind that is known` : `${first}: no such file`,
      {
        hint: 'Known are .csv, .tsv, .jsonl, .ndjson, .json, .conll, each also with .gz, .parquet, folders, and sql:QUERY.',
      },
    );
  }
  return { kind, path: list.length === 1 ? first : [...list] };
}
