import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { writeFileAtomically } from '../../base/atomic-write.ts';
import { LatheError } from '../../base/index.ts';
import {
  type CleaningStep,
  cleaningSchema,
  dataReportPage,
  fractionsSchema,
  inspectData,
  type PrepareOptions,
  prepareDataset,
  type SourceInput,
  sourceOf,
  sourceSchema,
  TARGET_KINDS,
} from '../../data/index.ts';
import { type CommandGroup, defineCommand } from '../command.ts';
import { showDataReport } from '../data-summary.ts';
import type { Terminal } from '../terminal.ts';

const FILE_KINDS = ['csv', 'jsonl', 'json', 'parquet', 'conll', 'folder', 'mail', 'mail-json'] as const;

const shares = z.union([z.string(), fractionsSchema]).transform((value, context) => {
  if (typeof value !== 'string') return value;
  const numbers = value.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (numbers.length !== 3 || numbers.some((number) => !(number >= 0))) {
    context.addIssue({ code: 'custom', message: 'expected three shares, as in 0.8,0.1,0.1' });
    return z.NEVER;
  }
  const [train, validation, test] = numbers;
  return { train: train!, validation: validation!, test: test! };
});

const reading = {
  source: z.union([z.array(z.string().min(1)).min(1), z.string().min(1), sourceSchema]).meta({
    description:
      'files, patterns, a folder, or sql:QUERY; a recipe may also give an object: {kind: csv, path: …, delimiter: …}',
    placeholder: 'FILE',
  }),
  kind: z
    .enum(FILE_KINDS)
    .optional()
    .meta({ description: 'what the files are, where their names do not say', placeholder: 'KIND' }),
  text: z.string().optional().meta({ description: 'column of the text [default: text]', placeholder: 'COLUMN' }),
  textPair: z
    .string()
    .optional()
    .meta({ description: 'column of the second text, where rows are pairs', placeholder: 'COLUMN' }),
  label: z
    .string()
    .optional()
    .meta({ description: 'column of the label [default: label, where there is one]', placeholder: 'COLUMN' }),
  group: z
    .string()
    .optional()
    .meta({ description: 'column whose equal values stay in one split: an author, a thread', placeholder: 'COLUMN' }),
  split: z
    .string()
    .optional()
    .meta({ description: 'column that names the split [default: split, where there is one]', placeholder: 'COLUMN' }),
  resplit: z.boolean().default(false).meta({ description: 'split anew, although the data came with a split' }),
  target: z.enum(TARGET_KINDS).optional().meta({
    description:
      'what labels are: classes has several names in a cell, tags a name for each word of a list, spans places of entities in a text [default: class, of CoNLL files tags]',
    placeholder: 'KIND',
  }),
  labelSeparator: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'divides the names in a cell, with --target classes [default: |]', placeholder: 'TEXT' }),
  clean: z.union([z.string(), cleaningSchema]).optional().meta({
    description:
      "cleaning steps: a YAML or JSON file, or the list itself, as in '[{step: strip-html}, {step: drop-empty}]' [default: normalize-unicode, drop-exact-duplicates, drop-near-duplicates]",
    placeholder: 'FILE|LIST',
  }),
  fractions: shares
    .optional()
    .meta({ description: 'shares of train, validation and test [default: 0.8,0.1,0.1]', placeholder: '0.8,0.1,0.1' }),
  seed: z.int().default(0).meta({ description: 'of the split' }),
};

const inspectParameters = z.object({
  ...reading,
  report: z.string().optional().meta({ description: 'HTML file to write the report to', placeholder: 'FILE' }),
});

const prepareParameters = z.object({
  ...reading,
  out: z.string().meta({ description: 'folder to write', placeholder: 'DIR' }),
  allowLeaks: z
    .boolean()
    .default(false)
    .meta({ description: 'go on when a text or group is on both sides of a split that the data came with' }),
  dropLeaks: z
    .boolean()
    .default(false)
    .meta({ description: 'drop from train what is in the test or validation split as well' }),
});

type Reading = z.infer<typeof inspectParameters> | z.infer<typeof prepareParameters>;

const inspect = defineCommand({
  name: 'data inspect',
  summary: 'say what is in data, and what is wrong with them',
  description: 'Reads, cleans and splits data as "data prepare" would, says what it found, and writes nothing.',
  parameters: inspectParameters,
  positional: ['source'],
  examples: [
    ['lathe data inspect reviews.csv --text review --label stars', 'rows, labels, duplicates, lengths, leaks'],
    ['lathe data inspect mails/ --kind mail --report mails.html', 'mails in folders by label, with a page to look at'],
    [
      `lathe data inspect "sql:select * from 'logs/*.parquet' where lang = 'en'" --text message`,
      'the result of a query',
    ],
  ],
  async run(given, terminal) {
    const report = await followed(terminal, async (onProgress) =>
      inspectData({ ...(await optionsOf(given, terminal)), onProgress }),
    );
    showDataReport(report, terminal);
    if (given.report !== undefined) {
      const page = await dataReportPage(report, sourceSchema.parse(readFrom(given)));
      await writeFileAtomically(given.report, page);
      terminal.say(`\nReport: ${given.report}`);
    }
    terminal.hint(
      `lathe data prepare ${[given.source].flat().join(' ')} … --out data/NAME writes them, split for training`,
    );
    return { ...report, ...(given.report !== undefined && { report: given.report }) };
  },
});

const prepare = defineCommand({
  name: 'data prepare',
  summary: 'clean data, split them, and write them for training',
  description:
    'Writes train.jsonl, validation.jsonl, test.jsonl, dataset.json and report.html. Ends with exit code 1 when the same text or group is on both sides of a split.',
  parameters: prepareParameters,
  positional: ['source'],
  examples: [
    ['lathe data prepare reviews.csv --text review --label stars --out data/reviews', 'a CSV file'],
    ["lathe data prepare 'parts/*.parquet' --group author --out data/posts", 'no author in two splits'],
    ['lathe data prepare mails/ --kind mail --clean cleaning.yaml --out data/mails', 'own cleaning steps'],
    ['lathe data prepare photos/ --out data/photos', 'images, one folder a label'],
    ['lathe data prepare all.jsonl --fractions 0.7,0.15,0.15 --seed 7 --out data/all --json', 'other shares'],
  ],
  files(given) {
    return {
      reads: readsOf(given),
      writes: [given.out],
    };
  },
  async run(given, terminal) {
    const { out, allowLeaks, dropLeaks } = given;
    if (allowLeaks && dropLeaks)
      throw new LatheError('usage', 'data prepare: --allow-leaks and --drop-leaks exclude each other');
    const { facts, report } = await followed(terminal, async (onProgress) =>
      prepareDataset({
        ...(await optionsOf(given, terminal)),
        out,
        leaks: allowLeaks ? 'allow' : dropLeaks ? 'drop-from-train' : 'fail',
        onProgress,
      }),
    );
    showDataReport(report, terminal);
    const page = join(out, 'report.html');
    terminal.say(`\nData:   ${out}\nReport: ${page}`);
    if (facts.target !== 'none') terminal.hint(`lathe train --data ${out} --out models/${basename(out)}`);
    return {
      data: out,
      report: page,
      rows: facts.rows,
      splits: facts.splits,
      labels: facts.labels,
      labelCounts: facts.labelCounts,
      cleaning: facts.cleaning.map(({ step, rowsIn, changed, dropped }) => ({ step, rowsIn, changed, dropped })),
      verdict: report.verdict,
      findings: report.findings,
      dataHash: facts.contentHash,
    };
  },
});

const group: CommandGroup = {
  name: 'data',
  summary: 'look at data, clean and split them',
  description:
    'Reads CSV, TSV, JSONL, JSON, Parquet, SQL over such files, folders of texts, of images and of mails. Nothing is changed in place.',
  examples: [
    ['lathe data inspect reviews.csv --text review --label stars', 'what is in the data'],
    ['lathe data prepare reviews.csv --text review --label stars --out data/reviews', 'write them, split for training'],
  ],
  subcommands: { inspect, prepare },
};
export default group;

async function optionsOf(given: Reading, terminal: Terminal): Promise<PrepareOptions> {
  const { text, textPair, label, labelSeparator, group, split, target, fractions, seed } = given;
  const cleaning = await cleaningOf(given.clean);
  const { signal } = terminal;
  if (given.resplit && split !== undefined)
    throw new LatheError('usage', 'data: --split and --resplit exclude each other');
  return {
    source: readFrom(given),
    text,
    textPair,
    label,
    labelSeparator,
    group,
    split: given.resplit ? false : split,
    target,
    fractions,
    seed,
    cleaning,
    signal,
  };
}

/** The source that a parameter means: an object as it is, words by their kind. */
function readFrom({ source, kind }: Reading): SourceInput {
  if (typeof source === 'object' && !Array.isArray(source)) {
    if (kind !== undefined) throw new LatheError('usage', 'data: the source says its kind itself: leave out kind');
    return source;
  }
  const words = [source].flat();
  if (kind === undefined) return sourceOf(words);
  if (kind !== 'folder') return { kind, path: words };
  if (words.length > 1) throw new LatheError('usage', `data: kind folder reads one folder, got ${words.join(', ')}`);
  return { kind, path: words[0]! };
}

function readsOf(given: Reading): readonly string[] | 'unknown' {
  const source = readFrom(given);
  if (source.kind === 'sql') return 'unknown';
  const paths = [source.path].flat();
  // A mail's own bytes stand beside its JSON.
  const beside =
    source.kind === 'mail-json'
      ? paths.map((path) => path.replace(/\.json$/, '.txt')).filter((path) => /[*?]/.test(path))
      : [];
  const cleaning = typeof given.clean === 'string' && !isList(given.clean) ? [given.clean] : [];
  return [...new Set([...paths, ...beside, ...cleaning])];
}

async function cleaningOf(clean: Reading['clean']): Promise<readonly CleaningStep[] | undefined> {
  if (typeof clean !== 'string') return clean;
  const inline = isList(clean);
  const what = inline ? '--clean' : clean;
  const content = inline
    ? clean
    : await readFile(clean, 'utf8').catch((cause: NodeJS.ErrnoException) => {
        throw new LatheError(
          'not-found',
          `--clean: cannot read "${clean}": ${cause.code === 'ENOENT' ? 'no such file' : cause.message}`,
          { cause },
        );
      });
  let steps: unknown;
  try {
    steps = parse(content);
  } catch (cause) {
    throw new LatheError('usage', `${what}: ${(cause as Error).message}`, { cause });
  }
  const checked = cleaningSchema.safeParse(steps);
  if (checked.success) return checked.data;
  throw new LatheError('usage', `${what}: ${z.prettifyError(checked.error)}`, {
    hint: 'Expected a list of steps, as in: [{step: strip-html}, {step: drop-short, min: 20}]',
  });
}

function isList(clean: string): boolean {
  return clean.trimStart().startsWith('[');
}

type OnProgress = NonNullable<PrepareOptions['onProgress']>;

/** Shows each phase of the work as it goes by. */
async function followed<Result>(
  terminal: Terminal,
  work: (onProgress: OnProgress) => Promise<Result>,
): Promise<Result> {
  let phase = '';
  let progress = terminal.progress('reading');
  const result = await work((done, total, what) => {
    if (what !== phase) {
      if (phase !== '') progress.done(phase);
      progress = terminal.progress(what);
      phase = what;
    }
    progress.update(done, total);
  });
  if (phase !== '') progress.done(phase);
  return result;
}
