import { z } from 'zod';
import { LatheError } from '../base/index.ts';
import { isPrepared, SPLITS, type SplitName } from '../data/index.ts';
import { type Example, type Manifest, TASKS } from '../pipeline/index.ts';
import { readExamples, rowOf } from './examples.ts';
import { openTaskData, type TaskDataOptions } from './task-data.ts';
import type { Terminal } from './terminal.ts';

/** Parameters of commands that measure packages: which rows, and which of their columns. */
export const evaluationDataParameters = {
  data: z.string().meta({
    description: 'prepared data, a CSV, TSV, JSONL, JSON or Parquet file, or a folder of images by label',
    placeholder: 'DIR|FILE',
  }),
  split: z
    .enum([...SPLITS, 'all'])
    .optional()
    .meta({ description: 'rows to measure on [default: test of prepared data, all of a file]' }),
  text: z.string().optional().meta({ description: 'column of the text [default: as trained]', placeholder: 'COLUMN' }),
  textPair: z
    .string()
    .optional()
    .meta({ description: 'column of the second text [default: as trained]', placeholder: 'COLUMN' }),
  label: z
    .string()
    .optional()
    .meta({ description: 'column of the label [default: as trained]', placeholder: 'COLUMN' }),
  labelSeparator: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'divides the labels in a cell [default: as trained, else |]', placeholder: 'TEXT' }),
};

/** The rows that a package is measured on. */
export interface EvaluationData {
  readonly examples: readonly Example[];
  /** Names an example in an error. */
  readonly where: (example: number) => string;
  /** Prepared data went through the package's steps; rows of a file have yet to. */
  readonly prepared: boolean;
  readonly parts: readonly { readonly name: SplitName; readonly examples: number }[];
  /** In the words of a report. */
  readonly split: SplitName | 'all';
  readonly hash: string;
}

/**
 * Reads what a user names as data for a package: its columns are those that it was trained on, where nothing else is said. Of
 * prepared data the test split is measured on, of a file all rows.
 */
export async function openEvaluationData(
  { task: name, columns, lineage }: Manifest,
  data: string,
  { split, ...given }: TaskDataOptions & { readonly split?: SplitName | 'all' | undefined },
  terminal: Terminal,
): Promise<EvaluationData> {
  const task = TASKS[name];
  const prepared = isPrepared(data);
  const dataset = await openTaskData(
    data,
    task,
    { ...columns, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) },
    {
      // Every row of a file counts, duplicates too: what is measured is what is there.
      cleaning: [],
      ...(split === undefined && { split: false, fractions: { train: 0, validation: 0, test: 1 } }),
      // A part of the file that training took its own from is the part that training had.
      seed: lineage.seed,
      minimumClasses: 1,
      signal: terminal.signal,
    },
  );
  const wanted = (split === 'all' ? SPLITS : [split ?? 'test']).filter(
    (part, _, all) => all.length === 1 || dataset.facts.splits[part] > 0,
  );
  const examples: Example[] = [];
  const places: string[] = [];
  for (const part of wanted) {
    const where = rowOf(part);
    const labelled = task.target !== 'none';
    for (const [index, example] of (await readExamples(dataset, part, { labelled })).entries()) {
      examples.push(example);
      places.push(where(index));
    }
  }
  if (examples.length === 0) throw new LatheError('invalid-data', `"${data}" has no rows to measure on`);
  if (prepared && dataset.facts.contentHash !== lineage.dataHash && wanted.includes('train'))
    terminal.warn('these are not the data that the package was trained on');
  return {
    examples,
    where: (example) => places[example]!,
    prepared,
    parts: wanted.map((part) => ({ name: part, examples: dataset.facts.splits[part] })),
    split: split ?? (prepared ? 'test' : 'all'),
    hash: dataset.facts.contentHash,
  };
}
