import { basename, join } from 'node:path';
import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { openPackage, type Package, refuseOtherFolder } from '../../pipeline/index.ts';
import { TRAINABLE_TASKS } from '../../train/index.ts';
import { headlineOf } from '../../train/report/index.ts';
import { parseSource } from '../../zoo/index.ts';
import { ARCHITECTURES } from '../candidate.ts';
import { defineCommand } from '../command.ts';
import { comparePackages, showComparison } from '../comparison.ts';
import { openEvaluationData } from '../evaluation-data.ts';
import { findModel, pathsOf } from '../start/model-files.ts';
import { evaluationJson, showUse } from '../trained-summary.ts';
import train from './train.ts';

/** What is said of all candidates alike, as `lathe train` has it. */
const shared = train.parameters.pick({
  task: true,
  data: true,
  text: true,
  textPair: true,
  label: true,
  target: true,
  labelSeparator: true,
  positive: true,
  maxLength: true,
  vocabularySize: true,
  cased: true,
  epochs: true,
  batchSize: true,
  learningRate: true,
  classWeights: true,
  timeBudget: true,
  seed: true,
  threads: true,
});

const own = z.object({
  arch: z.array(z.enum(ARCHITECTURES)).default([]).meta({
    description: 'candidates to train from scratch',
    placeholder: 'NAME',
  }),
  model: z.array(z.string()).default([]).meta({
    description: 'candidates to begin with: packages, checkpoints, ONNX files, as in lathe train',
    placeholder: 'SOURCE',
  }),
  out: z.string().meta({ description: 'folder for the packages, one a candidate', placeholder: 'DIR' }),
  timed: z.int().min(10).default(100).meta({ description: 'examples whose answers are timed, one by one' }),
});

export default defineCommand({
  name: 'select',
  summary: 'train candidates on the same data, and say which to take',
  description:
    'Trains each candidate on the same rows and compares the packages on the validation split, as lathe compare does. The test split has no part in the choice: it says what the chosen one is worth.',
  parameters: shared.extend(own.shape) as z.ZodObject,
  examples: [
    ['lathe select --data mails/ --arch linear bert-mini --out models/spam', 'from scratch'],
    [
      'lathe select --data mails/ --arch linear --model models/words hf:prajjwal1/bert-tiny --out models/spam',
      'or not',
    ],
  ],
  files: ({ data, model, out }) => ({
    reads: [String(data), ...(model as readonly string[]).flatMap(pathsOf)],
    writes: [String(out)],
  }),
  async run(given, terminal) {
    const { arch, model, out, timed } = own.parse(given);
    const candidates = [
      ...arch.map((name) => ({ name, arch: name, model: undefined })),
      ...model.map((source) => ({ name: nameOf(source), arch: undefined, model: source })),
    ];
    const names = candidates.map(({ name }) => name);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (names.length < 2 || twice !== undefined) {
      throw new LatheError(
        'usage',
        twice === undefined
          ? `select: expected two candidates or more, got ${names.length}`
          : `select: two candidates have the name "${twice}"`,
        { hint: 'Name architectures with --arch and models to begin with by --model.' },
      );
    }
    // Before the first is trained, not when it is the turn of the last.
    for (const candidate of candidates) {
      await refuseOtherFolder(join(out, candidate.name));
      if (candidate.model !== undefined) await findModel(candidate.model, terminal);
    }
    const common = Object.fromEntries(Object.keys(shared.shape).map((name) => [name, given[name]]));
    const packages: Package[] = [];
    for (const { name, ...candidate } of candidates) {
      const folder = join(out, name);
      terminal.say(`\n${name}`);
      const defaults = train.parameters.parse({ data: common.data, out: folder });
      const run = join(out, 'runs', name);
      await train.run({ ...defaults, ...common, ...candidate, out: folder, run, baseline: false }, terminal);
      packages.push(await openPackage(folder));
    }
    const { manifest } = packages[0]!;
    const { data, text, textPair, label, labelSeparator } = common as Record<string, string | undefined>;
    const rows = await openEvaluationData(
      manifest,
      data!,
      { text, textPair, label, labelSeparator, split: 'validation' },
      terminal,
    );
    const { prepared, where } = rows;
    const comparison = await comparePackages(
      TRAINABLE_TASKS[manifest.task],
      packages,
      rows.examples,
      { variant: 'fp32', prepared, timed, where },
      terminal,
    );
    terminal.say(`\nOn ${rows.examples.length} examples of the validation split:`);
    showComparison(comparison, terminal);
    const chosen = packages.find(({ folder }) => folder === comparison.recommended)!;
    const test = chosen.manifest.metrics.find(({ split }) => split === 'test');
    const { metric, name } = headlineOf(comparison.packages[0]!.report);
    if (test !== undefined) terminal.say(`On the test split it has ${name} ${test.values[metric]?.toFixed(4)}.`);
    showUse(chosen, terminal);
    return {
      task: manifest.task,
      data,
      split: 'validation',
      ...comparison,
      packages: comparison.packages.map(({ report, ...rest }) => ({ ...rest, ...evaluationJson(report, rows.hash) })),
      ...(test && { test: { examples: test.examples, metrics: test.values } }),
    };
  },
});

/** The last part of a source, for the folder of what is made of it. */
function nameOf(source: string): string {
  const parsed = parseSource(source);
  const name =
    parsed.kind === 'file'
      ? basename(parsed.path)
      : parsed.kind === 'https'
        ? basename(new URL(parsed.url).pathname)
        : source.replace(/^\w+:/, '').replace(/@[^/]*$/, '');
  return name
    .replace(/\.onnx$/, '')
    .replace(/[^\w.-]+/g, '-')
    .replace(/^-+/, '');
}
