import { basename, join } from 'node:path';
import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { IMPORTANCES } from '../../compress/index.ts';
import { readModel } from '../../graph/index.ts';
import { openPackage, originOf, refuseOtherFolder, writeDerivedPackage } from '../../pipeline/index.ts';
import { headlineOf } from '../../train/report/index.ts';
import { formatBytes } from '../../zoo/index.ts';
import { defineCommand } from '../command.ts';
import { durationSchema } from '../duration.ts';
import { evaluateModel } from '../evaluation.ts';
import { openPackageLearning } from '../package-learning.ts';
import { PRUNE_TARGETS, type PruneTarget, pruneModel } from '../prune-model.ts';
import type { Terminal } from '../terminal.ts';
import { evaluationJson, showUse } from '../trained-summary.ts';
import { versions } from '../versions.ts';

const parameters = z.object({
  package: z.string().meta({ description: 'folder of the package to make smaller', placeholder: 'DIR' }),
  data: z.string().meta({
    description: 'the data that it was trained on: prepared data, a file, or a folder of images by label',
    placeholder: 'DIR|FILE',
  }),
  out: z.string().meta({ description: 'folder of the package to write', placeholder: 'DIR' }),
  target: z
    .string()
    .default('latency=0.5')
    .meta({
      description: `what is to be left, as a share: ${Object.keys(PRUNE_TARGETS).join(', ')}=SHARE`,
      placeholder: 'WHAT=SHARE',
    }),
  importance: z.enum(IMPORTANCES).default('taylor').meta({ description: 'what tells the least important' }),
  scope: z
    .enum(['global', 'layer'])
    .default('global')
    .meta({ description: 'compare units of all layers, or take the same share of each' }),
  multiple: z.int().min(1).default(8).meta({
    description: 'what stays of channels and neurons is a multiple of this: others fall off the fast kernels',
  }),
  least: z.number().min(0).max(1).default(0.1).meta({ description: 'the least share of a layer that stays' }),
  widths: z
    .boolean()
    .default(false)
    .meta({ description: 'cut the width of transformers too, which layer normalization is computed over' }),
  constants: z.boolean().default(true).meta({
    description: 'keep units that give the same number for all samples: they go first otherwise',
  }),
  branches: z.int().min(0).default(0).meta({
    description: 'blocks with a shortcut past them (halves of transformer layers) that go as a whole, before the rest',
  }),
  steps: z.int().min(1).max(20).default(2).meta({ description: 'rounds of cutting and learning again' }),
  epochs: z.int().min(0).default(3).meta({ description: 'epochs of learning after the last cut; 0 for none' }),
  stepEpochs: z.int().min(0).default(1).meta({ description: 'epochs of learning after each cut before the last' }),
  alpha: z.number().min(0).max(1).default(0.9).meta({
    description: 'how much the source teaches what is left of it, beside the labels; 0 for labels alone',
  }),
  learningRate: z
    .number()
    .positive()
    .optional()
    .meta({ description: 'of learning again [default: as the package was trained]' }),
  batchSize: z.int().min(1).optional().meta({ description: 'examples a step of learning again [default: 32]' }),
  timeBudget: durationSchema.optional().meta({
    description: 'time for learning after each cut; the schedule is fitted to it',
    placeholder: 'DURATION',
  }),
  samples: z.int().min(1).default(256).meta({ description: 'examples of the train split that importance is seen on' }),
  run: z.string().optional().meta({ description: 'folder of the runs [default: runs/NAME]', placeholder: 'DIR' }),
  text: z.string().optional().meta({ description: 'column of the text [default: as trained]', placeholder: 'COLUMN' }),
  label: z
    .string()
    .optional()
    .meta({ description: 'column of the label [default: as trained]', placeholder: 'COLUMN' }),
  seed: z.int().min(0).default(42).meta({ description: 'of batches and of the choice of samples' }),
  threads: z.int().min(0).default(0).meta({ description: 'threads of learning; 0 for one a core' }),
});

export default defineCommand({
  name: 'prune',
  summary: 'make a model smaller by what matters least',
  description:
    'Cuts whole attention heads, neurons and channels out of the model of a package, with all that belongs to them, and lets what is left learn again on the same data. The result is a smaller ONNX model that is faster wherever it runs. A target that cannot be met is an error, and nothing is written.',
  parameters,
  positional: ['package'],
  examples: [
    [
      'lathe prune models/spam --data mails/ --target latency=0.5 --out models/spam-small',
      'half the time of an answer',
    ],
    ['lathe prune models/digits --data digits/ --target parameters=0.25 --steps 4 --out models/tiny', 'in four rounds'],
  ],
  files: ({ package: source, data, out }) => ({ reads: [source, data], writes: [out] }),
  async run(given, terminal) {
    const { package: folder, data, out, steps, epochs, seed, importance, scope } = given;
    await refuseOtherFolder(out);
    const target = parseTarget(given.target);
    const source = await openPackage(folder);
    const { text, label } = given;
    const learning = await openPackageLearning(source, data, { text, label }, terminal);
    const model = await readModel(source.modelPath());
    const runFolder = given.run ?? join('runs', `${basename(out)}`);
    const pruned = await pruneModel(model, learning, { ...given, target, runFolder }, terminal);
    const [before, after] = [
      await evaluateModel(model, learning, learning.splits.test),
      await evaluateModel(pruned.model, learning, learning.splits.test),
    ];
    const comparison = learning.task.compare?.(before, after, 0);
    const written = await writeDerivedPackage(out, source, {
      model: pruned.model,
      lineage: {
        step: 'prune',
        settings: {
          target: given.target,
          importance,
          scope,
          multiple: given.multiple,
          least: given.least,
          widths: given.widths,
          constants: given.constants,
          branches: given.branches,
          steps,
          epochs,
          stepEpochs: given.stepEpochs,
          samples: given.samples,
          alpha: given.alpha,
          ...pruned.learningSettings,
        },
        seed,
        dataHash: learning.dataHash,
        versions: versions(),
        createdAt: new Date().toISOString(),
        from: { source: originOf(source) },
      },
      metrics: [
        {
          split: 'test',
          dataHash: learning.dataHash,
          examples: after.examples.length,
          values: { ...after.report.metrics },
        },
      ],
    });
    const of = (folderOf: typeof source) => folderOf.manifest.variants.fp32!;
    const { name, metric } = headlineOf(after.report);
    const value = (evaluated: typeof after): number => evaluated.report.metrics[metric] ?? Number.NaN;
    terminal.say(`\nOn ${after.examples.length} test examples:`);
    terminal.table(
      ['model', name, 'parameters', 'size', 'time', 'of it'],
      [
        [
          folder,
          value(before),
          of(source).parameters,
          formatBytes(of(source).bytes),
          milliseconds(pruned.sourceMs),
          '',
        ],
        [
          out,
          value(after),
          of(written).parameters,
          formatBytes(of(written).bytes),
          milliseconds(pruned.milliseconds),
          `${(100 * pruned.timeShare).toFixed(0)} %`,
        ],
      ],
    );
    if (comparison !== undefined) {
      const { difference, low, high } = comparison.bootstrap;
      terminal.say(
        `It is ${difference.toFixed(4)} behind in ${name} on the same examples (95 % between ${low.toFixed(4)} and ${high.toFixed(4)}).`,
      );
    }
    showPinned(pruned.unknownOperators, terminal);
    terminal.say(`\nPackage: ${written.folder}`);
    showUse(written, terminal);
    return {
      package: written.folder,
      source: folder,
      target: { [target.kind]: target.share },
      reached: pruned.reached,
      parameters: { before: of(source).parameters, after: of(written).parameters },
      bytes: { before: of(source).bytes, after: of(written).bytes },
      milliseconds: { before: pruned.sourceMs, after: pruned.milliseconds, share: pruned.timeShare },
      steps: pruned.steps,
      branches: pruned.removed,
      constants: pruned.constants,
      before: evaluationJson(before.report, learning.dataHash),
      ...evaluationJson(after.report, learning.dataHash),
      ...(comparison && { comparison }),
    };
  },
});

function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

function showPinned(unknown: ReadonlyMap<string, number>, terminal: Terminal): void {
  if (unknown.size === 0) return;
  const list = [...unknown].map(([name, count]) => `${name} (${count})`).join(', ');
  terminal.warn(`nothing is cut through operators that Lathe does not know: ${list}`);
}

function parseTarget(text: string): PruneTarget {
  const [kind = '', share = '', ...more] = text.split('=');
  const number = Number(share);
  if (!Object.hasOwn(PRUNE_TARGETS, kind) || more.length > 0 || !(number > 0 && number < 1)) {
    throw new LatheError(
      'usage',
      `--target: expected ${Object.keys(PRUNE_TARGETS).join(' or ')}=SHARE with a share between 0 and 1, got "${text}"`,
      { hint: 'latency=0.5 is half the time.' },
    );
  }
  return { kind: kind as PruneTarget['kind'], share: number };
}
