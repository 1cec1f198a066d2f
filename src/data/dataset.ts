import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LatheError } from '../base/index.ts';
import { cleaningStepSchema } from './cleaning/schema.ts';
import type { Row } from './row.ts';
import { hashFile, statOf } from './sources/files.ts';
import { readLines } from './sources/lines.ts';
import { sourceSchema } from './sources/source.ts';
import { fractionsSchema, SPLITS, type SplitName } from './split.ts';
import { TARGET_KINDS } from './targets.ts';

const count = z.int().min(0);

/** A number a split. */
const bySplit = z.strictObject({ train: count, validation: count, test: count });

export const stepEffectSchema = z.strictObject({
  step: cleaningStepSchema,
  rowsIn: count,
  changed: count,
  dropped: count,
  /** Rows with the label and nearly the text of an earlier one that stay with it in one split. */
  grouped: count,
  /** Rows with (nearly) the same text and another label. */
  conflicts: count,
  examples: z.array(
    z.strictObject({
      /** `file:line` of the row. */
      at: z.string(),
      what: z.enum(['changed', 'dropped', 'grouped', 'conflict']),
      before: z.string(),
      after: z.string().optional(),
      /** `file:line` of the row that it repeats or contradicts. */
      other: z.string().optional(),
      similarity: z.number().optional(),
    }),
  ),
});
export type StepEffect = z.infer<typeof stepEffectSchema>;

/** `dataset.json` of prepared data: what it is and how it came to be. */
export const datasetFactsSchema = z.strictObject({
  format: z.literal('lathe-dataset'),
  version: z.literal(1),
  columns: z.strictObject({
    /** Of data of texts. */
    text: z.string().optional(),
    /** Of data of images: their paths in the source's folder. */
    image: z.string().optional(),
    textPair: z.string().optional(),
    label: z.string().optional(),
    group: z.string().optional(),
    split: z.string().optional(),
    /** Every column of the rows, in order. */
    all: z.array(z.string()),
  }),
  /** What labels are. */
  target: z.enum([...TARGET_KINDS, 'none']),
  /** Class names, sorted by their code units: a label's number is its place here. Empty where labels have no names. */
  labels: z.array(z.string()),
  rows: z.strictObject({
    /** Rows that the source holds, unreadable ones included. */
    read: count,
    /** Rows that could not be used: broken lines, no text, no label. */
    unusable: count,
    /** Rows that cleaning dropped. */
    dropped: count,
    kept: count,
  }),
  splits: bySplit,
  /** Rows a label and split. */
  labelCounts: z.record(z.string(), bySplit),
  cleaning: z.array(stepEffectSchema),
  seed: z.int(),
  fractions: fractionsSchema,
  source: sourceSchema,
  /** Of images, the folder that their paths are in, from the folder of the prepared data; absolute where these are in memory. */
  imageFolder: z.string().optional(),
  /** sha256 over what the source held. */
  sourceHash: z.string(),
  /** sha256 of each split's file, and over these of the whole. */
  files: z.record(z.enum(SPLITS), z.strictObject({ name: z.string(), bytes: count, sha256: z.string() })),
  contentHash: z.string(),
});
export type DatasetFacts = z.infer<typeof datasetFactsSchema>;

/** Data ready for training, with its splits to read. */
export interface PreparedDataset {
  readonly facts: DatasetFacts;
  /** The folder it stands in, when it stands in one. */
  readonly directory: string | undefined;
  /** The rows of a split, one after another. */
  rows(split: SplitName): AsyncIterable<Row>;
  /** All rows of a split at once. */
  readSplit(split: SplitName): Promise<Row[]>;
}

export const FACTS_FILE = 'dataset.json';

export function splitFile(split: SplitName): string {
  return `${split}.jsonl`;
}

/** Whether a path is a folder of prepared data. */
export function isPrepared(directory: string): boolean {
  return statOf(join(directory, FACTS_FILE))?.isFile() === true;
}

/**
 * Opens a folder of prepared data and checks that its files are those that `dataset.json` speaks of. Throws `not-found`,
 * `invalid-data` for a `dataset.json` that is none, and `corrupt` for files that have changed since.
 */
export async function openDataset(directory: string): Promise<PreparedDataset> {
  const path = join(directory, FACTS_FILE);
  const content = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new LatheError('not-found', `${directory}: no prepared data there (${FACTS_FILE} is missing)`, {
      hint: 'Make it with `lathe data prepare FILE --text COLUMN --label COLUMN --out FOLDER`.',
      cause,
    });
  });
  const parsed = datasetFactsSchema.safeParse(parseJson(content, path));
  if (!parsed.success) {
    throw new LatheError('invalid-data', `${path}: ${z.prettifyError(parsed.error)}`, {
      hint: 'The file was edited, or written by another version of Lathe: prepare the data again.',
    });
  }
  const facts = parsed.data;
  for (const split of SPLITS) {
    const { name, bytes, sha256 } = facts.files[split];
    const file = join(directory, splitFile(split));
    const size = statOf(file)?.size;
    const found = size === bytes ? await hashFile(file) : undefined;
    if (name === splitFile(split) && found === sha256) continue;
    const problem =
      size === undefined ? 'is missing' : size === bytes ? 'has changed' : `has ${size} bytes, expected ${bytes}`;
    throw new LatheError('corrupt', `${file}: the file ${problem}`, {
      hint: 'Prepare the data again: what was measured on it would no longer hold.',
    });
  }
  return preparedDataset(facts, directory, (split) => readSplitFile(directory, split));
}

/** A dataset over a way to read its splits. */
export function preparedDataset(
  facts: DatasetFacts,
  directory: string | undefined,
  rows: (split: SplitName) => AsyncIterable<Row>,
): PreparedDataset {
  return {
    facts,
    directory,
    rows,
    async readSplit(split) {
      const all: Row[] = [];
      for await (const row of rows(split)) all.push(row);
      return all;
    },
  };
}

/** The rows of a split, from its file. */
export async function* readSplitFile(directory: string, split: SplitName): AsyncGenerator<Row> {
  const path = join(directory, splitFile(split));
  for await (const { lines } of readLines(path)) for (const line of lines) if (line) yield JSON.parse(line) as Row;
}

function parseJson(content: string, path: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw new LatheError('invalid-data', `${path}: ${(cause as Error).message}`, { cause });
  }
}
