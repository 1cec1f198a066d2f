import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import { OBSERVERS, type Observer, type Quantized } from '../../compress/index.ts';
import { check, type Model, readModel } from '../../graph/index.ts';
import { openPackage, writeDerivedPackage } from '../../pipeline/index.ts';
import { formatBytes } from '../../zoo/index.ts';
import { defineCommand } from '../command.ts';
import { type Evaluated, evaluateModel } from '../evaluation.ts';
import { evaluationDataParameters } from '../evaluation-data.ts';
import { openPackageLearning, type PackageLearning } from '../package-learning.ts';
import {
  isBatchInvariant,
  measureScore,
  measureSpeed,
  percent,
  requireBudget,
  trialBatch,
  type VariantScore,
  type VariantSpeed,
} from '../quantization/measure-variant.ts';
import { type QuantizationScheme, SCHEMES, type SchemeName, type SchemeOptions } from '../quantization/schemes.ts';
import { batchesOf } from '../quantization/trial-feeds.ts';
import { quantizeWithinBudget } from '../quantization/within-budget.ts';
import type { Terminal } from '../terminal.ts';
import { evaluationJson } from '../trained-summary.ts';
import { versions } from '../versions.ts';

const { text, textPair, label, labelSeparator } = evaluationDataParameters;

const parameters = z.object({
  package: z.string().meta({ description: 'folder of the package', placeholder: 'DIR' }),
  scheme: z
    .enum(Object.keys(SCHEMES) as [SchemeName, ...SchemeName[]])
    .default('dynamic')
    .meta({ description: 'how numbers are stored' }),
  out: z.string().meta({ description: 'folder of the package to write; may be the same', placeholder: 'DIR' }),
  data: z.string().optional().meta({
    description: 'what the package was trained on: its test split measures both forms',
    placeholder: 'DIR|FILE',
  }),
  text,
  textPair,
  label,
  labelSeparator,
  budget: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .meta({ description: 'share of the score to keep at least, as 0.99; else nothing is written' }),
  activations: z.enum(['row', 'tensor']).default('row').meta({
    description: 'dynamic: whose range a scale follows; by tensor is faster, and answers depend on their batch',
  }),
  observer: z
    .enum(Object.keys(OBSERVERS) as [Observer, ...Observer[]])
    .default('minMax')
    .meta({ description: 'static: how a range follows from what calibration saw' }),
  calibration: z.int().positive().default(128).meta({ description: 'static: training examples to calibrate on' }),
  reduceRange: z
    .boolean()
    .default(false)
    .meta({ description: 'weights of 7 bits, which processors without VNNI add up exactly' }),
  threads: z.int().min(0).default(1).meta({ description: 'threads while times are taken; 0 for one a core' }),
  rounds: z.int().min(3).default(15).meta({ description: 'rounds in which both forms are timed, in turns' }),
});

type Parameters = z.infer<typeof parameters>;

export default defineCommand({
  name: 'quantize',
  summary: 'write a package with a model in fewer bits beside its own',
  description:
    "Adds a smaller form of a package's model, and says what it is worth: bytes, time beside the source in turns, whether answers depend on their batch, and with --data the score on the test split with a paired comparison. With --budget, nothing is written that keeps less of the score.",
  parameters,
  positional: ['package'],
  examples: [
    ['lathe quantize models/spam --out models/spam-int8', '8-bit weights, no data needed'],
    [
      'lathe quantize models/spam --data mails/ --budget 0.99 --out models/spam-int8',
      'only if 99 % of the score is kept',
    ],
  ],
  files: ({ package: folder, data, out }) => ({
    reads: [folder, ...(data === undefined ? [] : [data])],
    writes: [out],
  }),
  async run(given, terminal) {
    if (given.budget !== undefined && given.data === undefined)
      throw new LatheError('usage', 'quantize: --budget needs --data to measure the score on');
    const source = await openPackage(given.package);
    const { manifest } = source;
    const scheme: QuantizationScheme = SCHEMES[given.scheme];
    const model = await readModel(source.modelPath());
    const learning =
      given.data === undefined ? undefined : await openPackageLearning(source, given.data, given, terminal);
    const options = await optionsOf(given, learning, terminal);
    const { quantized, floats } =
      learning === undefined || given.budget === undefined
        ? { quantized: await scheme.quantize(model, { ...options, except: new Set() }), floats: [] }
        : await quantizeWithinBudget(scheme, model, options, learning, given.budget, terminal);
    refuseUnchanged(quantized, given);
    check(quantized.model);
    const before = learning && (await scoreOf(model, learning, terminal));
    const score =
      learning && before && (await measureScore(before, quantized.model, learning, 'test', manifest.lineage.seed));
    if (score !== undefined && given.budget !== undefined) requireBudget(score, given.budget);
    const progress = terminal.progress('timing both forms');
    const speed = await measureSpeed(model, quantized.model, manifest, given);
    const batchInvariant = await isBatchInvariant(quantized.model, await trialBatch(manifest, learning));
    progress.done();
    const { scheme: name, activations, reduceRange, observer, calibration } = given;
    const own = name === 'static' ? { observer, calibration } : { activations };
    const written = await writeDerivedPackage(given.out, source, {
      variants: {
        [scheme.variant]: {
          model: quantized.model,
          batchInvariant,
          step: {
            step: 'quantize',
            settings: { scheme: name, ...own, reduceRange, floats: quantized.kept.map(({ node }) => node) },
            seed: manifest.lineage.seed,
            ...(learning && { dataHash: learning.dataHash }),
            versions: versions(),
          },
        },
      },
      ...(score &&
        learning && {
          metrics: [
            {
              split: score.split,
              variant: scheme.variant,
              dataHash: learning.dataHash,
              examples: score.examples,
              values: score.report.metrics,
            },
          ],
        }),
    });
    const bytes = {
      source: manifest.variants.fp32!.bytes,
      variant: written.manifest.variants[scheme.variant]!.bytes,
    };
    show({ quantized, bytes, speed, batchInvariant, score, variant: scheme.variant }, terminal);
    terminal.say(`\nPackage: ${written.folder}`);
    terminal.hint(`lathe evaluate ${written.folder} --variant ${scheme.variant} --data ${given.data ?? 'DIR'}`);
    return {
      package: written.folder,
      variant: scheme.variant,
      scheme: name,
      quantized: quantized.quantized.length,
      kept: quantized.kept,
      ...(floats.length > 0 && { sensitive: floats }),
      bytes,
      speed,
      batchInvariant,
      ...(score && { score: { ...score, report: evaluationJson(score.report, learning?.dataHash) } }),
    };
  },
});

/** The options of a scheme, with batches of training examples where there are data. */
async function optionsOf(
  { activations, reduceRange, observer, calibration, scheme }: Parameters,
  learning: PackageLearning | undefined,
  terminal: Terminal,
): Promise<Omit<SchemeOptions, 'except'>> {
  const common = { activations, reduceRange, observer, signal: terminal.signal };
  if (learning === undefined || scheme !== 'static') return { ...common, calibration: undefined };
  const { train } = learning.splits;
  // Evenly from all of them, as the rows of a file may be in some order.
  const count = Math.min(calibration, train.length);
  const examples = Array.from({ length: count }, (_, index) => train[Math.floor((index * train.length) / count)]!);
  const progress = terminal.progress('calibrating');
  let isShown = true;
  return {
    ...common,
    calibration: await batchesOf(learning, examples, 8),
    // What is calibrated again for a few values more, while layers go back to floats, is part of that.
    onProgress: (done, total) => {
      if (isShown) progress.update(done, total);
      if (isShown && done === total) progress.done();
      isShown &&= done < total;
    },
  };
}

async function scoreOf(model: Model, learning: PackageLearning, terminal: Terminal): Promise<Evaluated> {
  const progress = terminal.progress('evaluating the source');
  const evaluated = await evaluateModel(model, learning, learning.splits.test);
  progress.done();
  return evaluated;
}

function refuseUnchanged({ changed, kept }: Quantized, { package: folder, scheme }: Parameters): void {
  if (changed) return;
  const reasons = kept.slice(0, 3).map(({ node, reason }) => `"${node}": ${reason}`);
  throw new LatheError('unsupported', `"${folder}" has nothing that the scheme ${scheme} makes smaller`, {
    ...(reasons.length > 0 && { hint: reasons.join('; ') }),
  });
}

interface Shown {
  readonly quantized: Quantized;
  readonly bytes: { readonly source: number; readonly variant: number };
  readonly speed: readonly VariantSpeed[];
  readonly batchInvariant: boolean;
  readonly score: VariantScore | undefined;
  readonly variant: string;
}

function show({ quantized, bytes, speed, batchInvariant, score, variant }: Shown, terminal: Terminal): void {
  terminal.say(`\n${quantized.quantized.length} nodes in fewer bits, ${quantized.kept.length} stay floats.`);
  const times = (ratio: number): string => `${ratio.toFixed(2)}×`;
  terminal.table(
    ['', 'fp32', variant, ''],
    [
      ['size', formatBytes(bytes.source), formatBytes(bytes.variant), `${times(bytes.source / bytes.variant)} smaller`],
      ...speed.map(({ batch, sourceMs, variantMs, ratio }) => [
        `time, ${batch} at once`,
        `${sourceMs.toFixed(2)} ms`,
        `${variantMs.toFixed(2)} ms`,
        `${times(ratio)} as fast`,
      ]),
      ...(score === undefined
        ? []
        : [[score.name, score.source.toFixed(4), score.variant.toFixed(4), `${percent(score.kept)} kept`]]),
    ],
  );
  if (score?.comparison !== undefined) {
    const { difference, low, high } = score.comparison.bootstrap;
    terminal.say(
      `Loss in ${score.name}: ${difference.toFixed(4)} (95 % between ${low.toFixed(4)} and ${high.toFixed(4)}).`,
    );
  }
  if (bytes.variant >= bytes.source) terminal.warn(`${variant} is not smaller than its source`);
  const slow = speed.filter(({ ratio }) => ratio < 1);
  if (slow.length > 0)
    terminal.warn(
      `${variant} is not faster than its source on this machine: ${slow.map(({ batch, ratio }) => `${times(ratio)} at batch ${batch}`).join(', ')}`,
    );
  if (!batchInvariant) terminal.warn('an answer depends on its neighbours in a batch');
}
