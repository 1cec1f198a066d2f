import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { z } from 'zod';
import { writeFolderAtomically } from '../base/atomic-write.ts';
import { jsonText, LatheError } from '../base/index.ts';
import { assignSplits } from './assign.ts';
import type { StepTally } from './cleaning/run.ts';
import { type CleaningStep, type CleaningStepInput, cleaningSchema } from './cleaning/schema.ts';
import { type Collected, collect, formatLocation, type Location } from './collect.ts';
import {
  type DatasetFacts,
  FACTS_FILE,
  isPrepared,
  type PreparedDataset,
  preparedDataset,
  readSplitFile,
  type StepEffect,
  splitFile,
} from './dataset.ts';
import { type DataReport, type RowPair, startReport } from './report/data-report.ts';
import { dataReportPage } from './report/page.ts';
import { type Row, textOf, type Value } from './row.ts';
import { statOf } from './sources/files.ts';
import { type Progress, type Source, type SourceInput, sourceSchema, sourceTitle } from './sources/source.ts';
import { type Fractions, fractionsSchema, SPLITS, type SplitName } from './split.ts';
import { TARGETS, type TargetKind } from './targets.ts';

export interface PrepareOptions {
  readonly source: SourceInput;
  /** Column of the text. Default: what the target has as usual, else `text`. */
  readonly text?: string | undefined;
  /** Column of the second text, where a row is a pair. */
  readonly textPair?: string | undefined;
  /** Column of the label. Default `label`, where the source has it. False for data without labels. */
  readonly label?: string | false | undefined;
  /** Column whose equal values stay on one side of every split. */
  readonly group?: string | undefined;
  /** Column that says the split. Default: a column `split`, where the source has one. False splits anew. */
  readonly split?: string | false | undefined;
  /** Default: DEFAULT_CLEANING, of images DEFAULT_IMAGE_CLEANING, and none where labels speak of places in the text. */
  readonly cleaning?: readonly CleaningStepInput[] | undefined;
  /** Default 0.8, 0.1, 0.1. */
  readonly fractions?: Partial<Fractions> | undefined;
  readonly seed?: number | undefined;
  /** What labels are. Default: one class name a row, and tags in CoNLL files. */
  readonly target?: TargetKind | undefined;
  /** Divides a text that holds several class names, for the target `classes`. Default `|`. */
  readonly labelSeparator?: string | undefined;
  /** What happens when the same text or group is on both sides of a split that the data came with. Default `fail`. */
  readonly leaks?: 'fail' | 'allow' | 'drop-from-train' | undefined;
  /** Fewest classes that the labels may have. Default 2, what learning needs; data to measure a model on do with 1. */
  readonly minimumClasses?: 1 | 2 | undefined;
  /** What relative paths of the source are relative to. Default: the working directory. */
  readonly directory?: string | undefined;
  /** Tokens of a text, for the share of texts that training will cut. Default: 1.3 a word. */
  readonly countTokens?: ((text: string) => number) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

/** Options of preparing, with defaults filled in. */
interface Plan {
  readonly source: Source;
  readonly cleaning: readonly CleaningStep[] | undefined;
  readonly fractions: Fractions;
  readonly seed: number;
  readonly target: TargetKind;
  readonly leaks: 'fail' | 'allow' | 'drop-from-train';
}

/**
 * Reads a source, cleans it, splits it and writes the result to a folder, whole or not at all: `train.jsonl`,
 * `validation.jsonl`, `test.jsonl`, `dataset.json` and `report.html`. An existing folder is replaced only when it holds
 * prepared data.
 *
 * Throws `usage` for options and columns that do not fit, `invalid-data` for data that nothing can be learned from, `leak` when
 * a text or group is on both sides of a given split, and `io`.
 */
export async function prepareDataset(options: PrepareOptions & { readonly out: string }): Promise<ReportedDataset> {
  const plan = planOf(options);
  refuseToReplace(options.out);
  const { facts, report } = await writeFolderAtomically(options.out, async (folder) => {
    const collected = await collectFor(plan, options, folder);
    try {
      const writers = await Promise.all(SPLITS.map((split) => openSplitFile(join(folder, splitFile(split)))));
      try {
        const made = await build(plan, collected, (split, row) => writers[split]!.write(row), options);
        const files = await Promise.all(writers.map((writer) => writer.finish()));
        const facts: DatasetFacts = { ...made.facts, ...describeFiles(files) };
        await writeWhole(join(folder, FACTS_FILE), jsonText(facts));
        await writeWhole(
          join(folder, 'report.html'),
          await dataReportPage(made.report, plan.source, options.directory),
        );
        return { facts, report: made.report };
      } finally {
        await Promise.all(writers.map((writer) => writer.close()));
      }
    } finally {
      await collected.close();
    }
  });
  return { ...preparedDataset(facts, options.out, (split) => readSplitFile(options.out, split)), report };
}

/** As {@link prepareDataset}, kept in memory: for training straight from a file. */
export async function datasetFromFile(options: PrepareOptions): Promise<ReportedDataset> {
  const plan = planOf(options);
  const collected = await collectFor(plan, options, undefined);
  try {
    const held: Row[][] = SPLITS.map(() => []);
    const made = await build(plan, collected, async (split, row) => void held[split]!.push(row), options);
    const files = held.map((rows) => {
      const hash = createHash('sha256');
      let bytes = 0;
      for (const row of rows) {
        const line = Buffer.from(`${JSON.stringify(row)}\n`);
        hash.update(line);
        bytes += line.length;
      }
      return { bytes, sha256: hash.digest('hex') };
    });
    const facts: DatasetFacts = { ...made.facts, ...describeFiles(files) };
    const dataset = preparedDataset(facts, undefined, async function* (split) {
      yield* held[SPLITS.indexOf(split)]!;
    });
    return { ...dataset, report: made.report };
  } finally {
    await collected.close();
  }
}

/** Reports on data as {@link prepareDataset} would prepare it, and writes nothing. Leaks are reported, not thrown. */
export async function inspectData(options: PrepareOptions): Promise<DataReport> {
  const plan: Plan = { ...planOf(options), leaks: 'allow' };
  const collected = await collectFor(plan, options, undefined);
  try {
    return (await build(plan, collected, async () => {}, options)).report;
  } finally {
    await collected.close();
  }
}

function planOf(options: PrepareOptions): Plan {
  const parse = <Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> => {
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw new LatheError('usage', `${what}: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  };
  const source = parse(sourceSchema, options.source, 'source');
  const target = options.target ?? (source.kind === 'conll' ? 'tags' : 'class');
  return {
    source,
    cleaning: options.cleaning === undefined ? undefined : parse(cleaningSchema, options.cleaning, 'cleaning'),
    fractions: parse(fractionsSchema, options.fractions ?? {}, 'split fractions'),
    seed: parse(z.int(), options.seed ?? 0, 'seed'),
    target,
    leaks: options.leaks ?? 'fail',
  };
}

function collectFor(plan: Plan, options: PrepareOptions, temporaryDirectory: string | undefined): Promise<Collected> {
  return collect({
    source: plan.source,
    roles: {
      text: options.text,
      textPair: options.textPair,
      label: options.label,
      group: options.group,
      split: options.split,
    },
    cleaning: plan.cleaning,
    target: plan.target,
    labelSeparator: options.labelSeparator,
    directory: options.directory,
    temporaryDirectory,
    signal: options.signal,
    onProgress: options.onProgress,
  });
}

/** A dataset and what is known of it. */
export interface ReportedDataset extends PreparedDataset {
  readonly report: DataReport;
}

interface Made {
  readonly facts: Omit<DatasetFacts, 'files' | 'contentHash'>;
  readonly report: DataReport;
}

/** Splits what was collected, hands each row to its split, and reports on them. */
async function build(
  plan: Plan,
  collected: Collected,
  put: (split: number, row: Row) => Promise<void>,
  options: PrepareOptions & { readonly out?: string },
): Promise<Made> {
  const { roles } = collected;
  if (plan.leaks === 'drop-from-train') dropLeaksFromTrain(collected);
  const splits = assignSplits(collected, plan.fractions, plan.seed);
  const kept = splits.reduce((sum, split) => sum + (split === 255 ? 0 : 1), 0);
  const read = collected.rowsRead + collected.reader.unreadable.length;
  const unusable = collected.unusable.count + collected.reader.unreadable.length;
  if (kept === 0) throw nothingLeft(collected, read, plan.source);
  if (roles.label !== undefined && plan.target === 'class' && options.minimumClasses !== 1)
    refuseOneClass(collected, splits, kept);
  const leaks = leakingPairs(collected, splits);
  if (leaks.length > 0 && plan.leaks === 'fail') throw await leakError(collected, leaks);

  const sizes: Record<SplitName, number> = { train: 0, validation: 0, test: 0 };
  const labelCounts = new Map<string, Record<SplitName, number>>();
  const columns = new Set<string>();
  const builder = startReport(collected, { countTokens: options.countTokens });
  let index = -1;
  for await (const row of collected.spool.rows()) {
    const split = splits[++index]!;
    if (split === 255) continue;
    const name = SPLITS[split]!;
    sizes[name]++;
    for (const column in row) columns.add(column);
    if (roles.label !== undefined) {
      if (plan.target === 'number') refuseNonNumber(row[roles.label]!, roles.label);
      for (const label of TARGETS[plan.target].names(row[roles.label]!)) {
        let counts = labelCounts.get(label);
        if (counts === undefined) {
          counts = { train: 0, validation: 0, test: 0 };
          labelCounts.set(label, counts);
        }
        counts[name]++;
      }
    }
    builder.add(row, collected.labels.data[index]!);
    await put(split, row);
    if (index % 1024 === 0) {
      options.signal?.throwIfAborted();
      options.onProgress?.(index, splits.length, 'writing splits');
    }
  }
  options.onProgress?.(splits.length, splits.length, 'writing splits');
  const labels = [...labelCounts.keys()].sort();
  const cleaning = await effectsOf(collected);
  const rows = { read, unusable, dropped: read - unusable - kept, kept };
  const facts: Made['facts'] = {
    format: 'lathe-dataset',
    version: 1,
    columns: {
      ...(roles.images ? { image: roles.text } : { text: roles.text }),
      ...(roles.textPair !== undefined && { textPair: roles.textPair }),
      ...(roles.label !== undefined && { label: roles.label }),
      ...(roles.group !== undefined && { group: roles.group }),
      ...(roles.split !== undefined && { split: roles.split }),
      all: [...columns],
    },
    target: roles.label === undefined ? 'none' : plan.target,
    labels,
    rows,
    splits: sizes,
    labelCounts: Object.fromEntries(labels.map((label) => [label, labelCounts.get(label)!])),
    cleaning,
    seed: plan.seed,
    fractions: plan.fractions,
    source: plan.source,
    ...(roles.images && { imageFolder: imageFolderOf(plan.source, options) }),
    sourceHash: await collected.reader.hash(),
  };
  return { facts, report: await builder.finish({ rows, splits: sizes, labelCounts, cleaning, leaks }) };
}

/** From the folder of the prepared data, so that both can be moved together. */
function imageFolderOf(source: Source, { directory = process.cwd(), out }: PrepareOptions & { out?: string }): string {
  const folder = resolve(directory, source.kind === 'folder' ? source.path : '.');
  return out === undefined ? folder : relative(resolve(out), folder).split(sep).join('/');
}

function refuseOneClass(collected: Collected, splits: Uint8Array, kept: number): void {
  const seen = new Set<number>();
  for (let index = 0; index < splits.length && seen.size < 2; index++) {
    if (splits[index] !== 255) seen.add(collected.labels.data[index]!);
  }
  if (seen.size > 1) return;
  const [only] = seen;
  const name = JSON.stringify(collected.labelNames[only!]);
  throw new LatheError('invalid-data', `column "${collected.roles.label}": all ${kept} rows have the label ${name}`, {
    hint: 'Learning to tell classes apart needs rows of at least two.',
  });
}

function refuseNonNumber(value: Value, column: string): void {
  const text = textOf(value) ?? '';
  if (text.trim() !== '' && Number.isFinite(Number(text))) return;
  throw new LatheError('invalid-data', `column "${column}": expected numbers, got ${JSON.stringify(value)}`, {
    hint: 'Labels that are names make classes: leave the target at "class".',
  });
}

/** Pairs that are on two sides of a split, once everything has its place. */
function leakingPairs(collected: Collected, splits: Uint8Array): RowPair[] {
  const pairs = [
    ...collected.leaks,
    ...collected.groupLeaks.map(({ row, other }) => ({ kind: 'group' as const, row, other, similarity: 1 })),
  ];
  if (pairs.length === 0) return [];
  const placeOf = new Int32Array(collected.rowsRead).fill(255);
  for (let index = 0; index < splits.length; index++) placeOf[collected.numbers.data[index]!] = splits[index]!;
  // A row that repeats several others leaks once, in the plainest way.
  const seen = new Set<number>();
  return pairs.flatMap((pair) => {
    const split = placeOf[pair.row]!;
    const otherSplit = placeOf[pair.other]!;
    if (split === 255 || otherSplit === 255 || split === otherSplit || seen.has(pair.row)) return [];
    seen.add(pair.row);
    return [{ ...pair, split: SPLITS[split]!, otherSplit: SPLITS[otherSplit]! }];
  });
}

const LEAK_WORDS = { exact: 'says the same as', near: 'says nearly the same as', group: 'has the group of' };

async function leakError(collected: Collected, leaks: readonly RowPair[]): Promise<LatheError> {
  const shown = leaks.slice(0, 3);
  const places = await collected.locate(shown.flatMap(({ row, other }) => [row, other]));
  const examples = shown.map(
    ({ kind, row, split, other, otherSplit }) =>
      `${formatLocation(places.get(row))} (${split}) ${LEAK_WORDS[kind]} ${formatLocation(places.get(other))} (${otherSplit})`,
  );
  const count = leaks.length === 1 ? '1 row is' : `${leaks.length} rows are`;
  return new LatheError('leak', `${count} on both sides of a split: ${examples.join('; ')}`, {
    hint: 'What is measured on such a split is too good to be true. Split anew (--resplit, split: false), drop them from training (--drop-leaks, leaks: drop-from-train), or allow it (--allow-leaks, leaks: allow).',
  });
}

function dropLeaksFromTrain(collected: Collected): void {
  const { numbers, splits, groupFirsts } = collected;
  const splitOf = new Map<number, number>();
  for (let index = 0; index < numbers.length; index++) splitOf.set(numbers.data[index]!, splits.data[index]!);
  const dropped = new Set<number>();
  const drop = (row: number): void => {
    dropped.add(row);
    collected.drop(row);
  };
  // Splits stand in the order train, validation, test: the one nearer to training gives way.
  for (const { row, other } of collected.leaks) {
    if (!collected.isKept(row) || !collected.isKept(other)) continue;
    drop(splitOf.get(row)! <= splitOf.get(other)! ? row : other);
  }
  for (const [row, of] of collected.copies()) if (dropped.has(of)) drop(row);
  if (collected.groupLeaks.length === 0) return;
  const last = new Map<number, number>();
  const eachKept = (visit: (row: number, group: number, split: number) => void): void => {
    for (let index = 0; index < numbers.length; index++) {
      const row = numbers.data[index]!;
      if (collected.isKept(row)) visit(row, groupFirsts.data[index]!, splits.data[index]!);
    }
  };
  eachKept((_, group, split) => last.set(group, Math.max(split, last.get(group) ?? split)));
  eachKept((row, group, split) => {
    if (split < last.get(group)!) drop(row);
  });
}

function nothingLeft(collected: Collected, read: number, source: Source): LatheError {
  if (read === 0) return new LatheError('invalid-data', `${sourceTitle(source)} is empty: it has no rows`);
  const reasons = [...collected.unusable.reasons].map(([reason, count]) => `${count} × ${reason}`);
  for (const { reason, file, line } of collected.reader.unreadable.slice(0, 3))
    reasons.push(`${formatLocation({ file, line })}: ${reason}`);
  for (const { step, dropped } of collected.steps)
    if (dropped > 0) reasons.push(`${dropped} × dropped by ${step.step}`);
  return new LatheError('invalid-data', `none of the ${read} rows can be used: ${reasons.slice(0, 6).join('; ')}`, {
    hint: `The columns are ${collected.sourceColumns.map(({ name, type }) => `"${name}" (${type})`).join(', ')}.`,
  });
}

async function effectsOf(collected: Collected): Promise<StepEffect[]> {
  const rows = collected.steps.flatMap(({ examples }) =>
    examples.flatMap(({ row, other }) => (other === undefined ? [row] : [row, other])),
  );
  const places = await collected.locate(rows);
  return collected.steps.map((tally) => effectOf(tally, places));
}

function effectOf(tally: StepTally, places: ReadonlyMap<number, Location>): StepEffect {
  const { step, rowsIn, changed, dropped, grouped, conflicts } = tally;
  const examples = tally.examples.map(({ row, what, before, after, other, similarity }) => ({
    at: formatLocation(places.get(row)),
    what,
    before,
    ...(after !== undefined && { after }),
    ...(other !== undefined && { other: formatLocation(places.get(other)) }),
    ...(similarity !== undefined && { similarity }),
  }));
  return { step, rowsIn, changed, dropped, grouped, conflicts, examples };
}

interface SplitWriter {
  write(row: Row): Promise<void>;
  finish(): Promise<{ bytes: number; sha256: string }>;
  close(): Promise<void>;
}

const WRITE_CHUNK = 1 << 20;

async function openSplitFile(path: string): Promise<SplitWriter> {
  const file = await open(path, 'wx');
  const hash = createHash('sha256');
  let bytes = 0;
  let pending: string[] = [];
  let pendingCharacters = 0;
  let isOpen = true;
  const flush = async (): Promise<void> => {
    const chunk = Buffer.from(pending.join(''));
    pending = [];
    pendingCharacters = 0;
    hash.update(chunk);
    bytes += chunk.length;
    await file.appendFile(chunk);
  };
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await file.close();
  };
  return {
    async write(row) {
      const line = `${JSON.stringify(row)}\n`;
      pending.push(line);
      pendingCharacters += line.length;
      if (pendingCharacters >= WRITE_CHUNK) await flush();
    },
    async finish() {
      await flush();
      await file.sync();
      await close();
      return { bytes, sha256: hash.digest('hex') };
    },
    close,
  };
}

async function writeWhole(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

function describeFiles(
  files: readonly { bytes: number; sha256: string }[],
): Pick<DatasetFacts, 'files' | 'contentHash'> {
  const [train, validation, test] = files.map((file, split) => ({ name: splitFile(SPLITS[split]!), ...file }));
  const whole = createHash('sha256');
  for (const { sha256 } of files) whole.update(sha256);
  return { files: { train: train!, validation: validation!, test: test! }, contentHash: whole.digest('hex') };
}

function refuseToReplace(out: string): void {
  const stats = statOf(out);
  if (stats === undefined || isPrepared(out)) return;
  if (stats.isDirectory() && readdirSync(out).length === 0) return;
  throw new LatheError(
    'usage',
    `${out}: there is something else ${stats.isDirectory() ? 'in that folder' : 'by that name'}`,
    {
      hint: 'Only a folder of prepared data is replaced: choose another name, or remove it first.',
    },
  );
}
