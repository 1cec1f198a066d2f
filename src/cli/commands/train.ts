import { basename, join } from 'node:path';
import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import {
  AUGMENTATION_NAMES,
  AUGMENTATIONS,
  type Augmentation,
  isPrepared,
  openDataset,
  type PreparedDataset,
} from '../../data/index.ts';
import { POOLINGS } from '../../nn/index.ts';
import { refuseOtherFolder, TASK_NAMES, TASKS } from '../../pipeline/index.ts';
import { TRAINABLE_TASKS, type TrainableTask, type TrainSettings } from '../../train/index.ts';
import { ARCHITECTURES } from '../candidate.ts';
import { defineCommand, kebab } from '../command.ts';
import { commandLineOf } from '../command-line-of.ts';
import { durationSchema } from '../duration.ts';
import { parseLora } from '../lora.ts';
import { pathsOf, recordedName } from '../start/model-files.ts';
import { openTaskData, taskOf } from '../task-data.ts';
import type { Terminal } from '../terminal.ts';
import { trainTask } from '../train-task.ts';
import { showTrained } from '../trained-summary.ts';

const parameters = z.object({
  task: z
    .enum(TASK_NAMES)
    .optional()
    .meta({ description: 'what the model is to do [default: what prepared data are for, else text-classification]' }),
  data: z.string().meta({
    description:
      'prepared data (lathe data prepare), a CSV, TSV, JSONL, JSON or Parquet file, or a folder of images by label',
    placeholder: 'DIR|FILE',
  }),
  text: z
    .string()
    .optional()
    .meta({ description: 'column of the text, for a file [default: text]', placeholder: 'COLUMN' }),
  textPair: z
    .string()
    .optional()
    .meta({ description: 'column of the second text, where rows are pairs', placeholder: 'COLUMN' }),
  label: z
    .string()
    .optional()
    .meta({ description: 'column of the label, for a file [default: label]', placeholder: 'COLUMN' }),
  target: z.enum(['class', 'number', 'tags', 'spans']).optional().meta({
    description:
      'what labels are: a number makes text-regression of it, a tag for each word or spans (places of entities) token-classification',
  }),
  labelSeparator: z.string().min(1).optional().meta({
    description: 'divides the labels in a cell, as in sport|politics: a text may have several, or none',
    placeholder: 'TEXT',
  }),
  out: z.string().meta({ description: 'folder of the package to write', placeholder: 'DIR' }),
  run: z
    .string()
    .optional()
    .meta({ description: 'folder of the run: metrics, checkpoints, report [default: runs/NAME]', placeholder: 'DIR' }),
  arch: z
    .enum(ARCHITECTURES)
    .optional()
    .meta({ description: 'architecture to train from scratch [default: bert-mini, for images resnet-8]' }),
  imageSize: z.int().min(8).max(1024).optional().meta({
    description:
      'pixels of a side that a model sees [default: of the images, or of the architecture; of an ONNX file its own, or 224]',
  }),
  model: z.string().optional().meta({
    description:
      'begin with this in place of --arch: a package, a Hugging Face checkpoint or an ONNX file, as a path, hf:ORG/NAME[@REVISION], npm:PACKAGE/FILE or https://HOST/FILE[#sha256=HEX]',
    placeholder: 'SOURCE',
  }),
  tokenizer: z.string().optional().meta({
    description: 'folder of the tokenizer of --model [default: where the model is]',
    placeholder: 'DIR',
  }),
  head: z.string().optional().meta({
    description: 'of an ONNX file, the output whose last layer is replaced [default: the only one, or logits]',
    placeholder: 'OUTPUT',
  }),
  freezeBackbone: z.boolean().default(false).meta({
    description: 'train the head of --model alone, on features that the rest gives once: seconds in place of minutes',
  }),
  lora: z.string().optional().meta({
    description:
      'train adapters of low rank beside the weights of --model, and its head: rank=8[,alpha=16][,target=PATTERN]',
    placeholder: 'rank=N',
  }),
  freezeBatchNorm: z
    .boolean()
    .default(false)
    .meta({ description: 'of an ONNX file: batch normalization keeps its running statistics' }),
  positive: z
    .string()
    .optional()
    .meta({ description: 'of two labels the one that the task is about [default: the rarer]', placeholder: 'LABEL' }),
  maxLength: z.int().min(8).max(512).default(128).meta({ description: 'tokens of a text that are read' }),
  vocabularySize: z
    .int()
    .min(100)
    .max(200_000)
    .default(16_000)
    .meta({ description: 'tokens that the tokenizer learns' }),
  cased: z.boolean().default(false).meta({ description: 'tell upper from lower case' }),
  augment: z.enum(AUGMENTATION_NAMES).optional().meta({
    description: 'changes images at random while the model learns [default: light; none with --freeze-backbone]',
  }),
  flip: z
    .boolean()
    .default(false)
    .meta({ description: 'mirror half of the images while the model learns: not where left and right matter' }),
  mixup: z.number().positive().optional().meta({
    description: 'mix images and their labels in pairs: α of the share, 0.2 is usual',
    placeholder: 'ALPHA',
  }),
  cutmix: z.number().positive().optional().meta({
    description: 'put a part of an image into another, with its share of the label: α of the share, 1 is usual',
    placeholder: 'ALPHA',
  }),
  epochs: z.int().positive().optional().meta({ description: 'passes over the training data' }),
  batchSize: z.int().positive().optional().meta({ description: 'examples a step' }),
  accumulation: z.int().positive().optional().meta({ description: 'micro-batches that make one step [default: 1]' }),
  learningRate: z.number().positive().optional().meta({ description: 'highest learning rate' }),
  schedule: z.enum(['linear', 'cosine', 'constant']).optional().meta({ description: 'fall of the learning rate' }),
  warmup: z
    .number()
    .min(0)
    .optional()
    .meta({ description: 'share of the steps (under 1), or their number, that the rate rises' }),
  weightDecay: z.number().min(0).default(0.01).meta({ description: 'decay of weights, not of biases and norms' }),
  dropout: z.number().min(0).lt(1).default(0.1).meta({ description: 'share of activations dropped in training' }),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .meta({ description: 'share of the target that goes to all labels alike' }),
  classWeights: z.enum(['none', 'auto']).default('none').meta({ description: 'auto: weigh rare labels more' }),
  wholeWords: z.boolean().default(false).meta({ description: 'for fill-mask: hide whole words, not parts of them' }),
  pooling: z.enum(POOLINGS).optional().meta({
    description: 'for embeddings: what a text has of its tokens, their mean, the first or the largest [default: mean]',
  }),
  clipNorm: z.number().min(0).optional().meta({ description: 'largest norm of the gradient, 0 for any [default: 1]' }),
  freeze: z.array(z.string()).default([]).meta({
    description: "parameters that stay as they are, with *: 'bert.embeddings.*'",
    placeholder: 'pattern',
  }),
  patience: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'validations without a better score before it stops, 0 never' }),
  validationsPerEpoch: z.int().positive().optional().meta({ description: 'validations an epoch [default: 1]' }),
  timeBudget: durationSchema
    .optional()
    .meta({ description: 'end after this time, with the schedule fitted to it', placeholder: '10m' }),
  seed: z.int().min(0).default(42).meta({ description: 'of everything random' }),
  threads: z.int().min(0).default(0).meta({ description: 'threads inside an operator, 0 for one a core' }),
  resume: z.boolean().default(false).meta({ description: 'go on from the last checkpoint of the run' }),
  baseline: z.boolean().default(true).meta({ description: 'do not train the linear model beside for comparison' }),
  dryRun: z.boolean().default(false).meta({ description: 'check the data and the settings, and train nothing' }),
});

export default defineCommand({
  name: 'train',
  summary: 'train a model and write its package',
  description:
    'Trains a model, from scratch or from another one, compares it with a linear baseline on the same test texts where a linear model can do the task, and writes a package and a report.',
  parameters,
  examples: [
    ['lathe train --data mails/ --out models/spam', 'train bert-mini on prepared data'],
    ['lathe train --data reviews.csv --text review --label stars --out models/stars', 'straight from a file'],
    ['lathe train --data nli.csv --text premise --text-pair hypothesis --out models/nli', 'pairs of texts'],
    ["lathe train --data news.csv --label topics --label-separator '|' --out models/topics", 'any number of labels'],
    ['lathe train --data essays.csv --label grade --target number --out models/grade', 'a number'],
    ['lathe train --data names.conll --out models/names', 'names in texts, from tags of words …'],
    ['lathe train --data people.jsonl --target spans --out models/people', '… or from their places'],
    ['lathe train --task question-answering --data squad.json --out models/reader', 'answers in texts'],
    ['lathe train --data mails/ --task fill-mask --out models/mail-words', 'a language model of your own texts …'],
    ['lathe train --data mails/ --model models/mail-words --out models/spam', '… and a classifier that begins with it'],
    ['lathe train --data mails/ --model hf:distilbert/distilbert-base-uncased --out models/spam', 'from the Hub'],
    ['lathe train --data mails/ --model exported/model.onnx --out models/spam', 'from an ONNX file of any maker'],
    ['lathe train --data mails/ --model models/mail-words --freeze-backbone --out models/quick', 'only its head: fast'],
    [
      'lathe train --data questions.csv --task feature-extraction --text question --text-pair answer --out models/search',
      'embeddings that find what belongs together',
    ],
    ['lathe train --data mails/ --model hf:google-bert/bert-base-uncased --lora rank=8 --out models/spam', 'adapters'],
    ['lathe train --data mails/ --arch linear --out models/fast', 'the linear model: seconds, and often enough'],
    ['lathe train --data mails/ --out models/spam --time-budget 10m', 'as good as ten minutes allow'],
    ['lathe train --data photos/ --out models/photos', 'a folder of images, one folder a label'],
    ['lathe train --data photos/ --augment randaugment --flip --out models/photos', 'few images, much changed'],
    ['lathe train --data mails/ --out models/spam --resume', 'go on after an interruption'],
  ],
  files: ({ data, model, tokenizer, out, run = join('runs', basename(out)) }) => ({
    reads: [data, ...pathsOf(model), ...(tokenizer === undefined ? [] : [tokenizer])],
    writes: [out, join(run, 'report.html')],
    checkpoint: join(run, 'checkpoints', 'last.safetensors'),
  }),
  async run(given, terminal) {
    refuseWithoutModel(given);
    // Not after hours of training.
    await refuseOtherFolder(given.out);
    const { task, dataset } = await openData(given, terminal);
    if (task.task.columns.image === undefined) refuseForTexts(given, task);
    const arch = given.arch ?? (task.task.columns.image === undefined ? 'bert-mini' : 'resnet-8');
    const runFolder = given.run ?? join('runs', basename(given.out));
    if (given.dryRun) {
      terminal.say(
        `would train ${given.model ?? arch} to ${task.task.summary}, on ${dataset.facts.splits.train} rows${dataset.facts.labels.length > 0 ? ` (${dataset.facts.labels.join(', ')})` : ''}, and write ${given.out} and ${runFolder}`,
      );
      return { dryRun: true, task: task.task.name, rows: dataset.facts.splits, labels: dataset.facts.labels };
    }
    const trained = await trainTask(
      {
        task,
        dataset,
        source: given.data,
        arch,
        imageSize: given.imageSize,
        augmentation: augmentationOf(given),
        model: given.model,
        tokenizer: given.tokenizer,
        head: given.head,
        freezeBatchNorm: given.freezeBatchNorm,
        freezeBackbone: given.freezeBackbone,
        lora: given.lora === undefined ? undefined : parseLora(given.lora),
        maxLength: given.maxLength,
        vocabularySize: given.vocabularySize,
        lowercase: !given.cased,
        dropout: given.dropout,
        labelSmoothing: given.labelSmoothing,
        classWeights: given.classWeights,
        wholeWords: given.wholeWords,
        taskSettings: taskSettingsOf(given, task),
        labelSeparator: given.labelSeparator,
        positive: given.positive,
        baseline: given.baseline,
        out: given.out,
        runFolder,
        resume: given.resume,
        command: commandLineOf('train', parameters, {
          ...given,
          ...(given.model !== undefined && { model: recordedName(given.model) }),
        }),
        settings: settingsOf(given),
      },
      terminal,
    );
    return showTrained(trained, terminal);
  },
});

/** What the user set of the processing behind the model. */
function taskSettingsOf({ pooling }: Given, { task }: TrainableTask): Readonly<Record<string, unknown>> {
  if (pooling === undefined) return {};
  if (task.settings.safeParse({ pooling }).success) return { pooling };
  throw new LatheError('usage', `--pooling: ${task.name} has no embeddings of texts`, {
    hint: 'Choose --task feature-extraction or sentence-similarity, or leave it out.',
  });
}

type Given = z.infer<typeof parameters>;

/** Throws where a setting of the model to begin with is given, and none is. */
function refuseWithoutModel(given: Given): void {
  const [one] = (['tokenizer', 'head', 'freezeBatchNorm'] as const).filter((name) => given[name]);
  if (one === undefined || given.model !== undefined) return;
  throw new LatheError('usage', `--${kebab(one)} is of a model to begin with, and none is named`, {
    hint: 'Name it: --model SOURCE.',
  });
}

/** Throws where a change of images is asked for, and texts are to be learned from. */
function refuseForTexts(given: Given, { task }: TrainableTask): void {
  const [one] = (['augment', 'flip', 'mixup', 'cutmix'] as const).filter((name) => given[name]);
  if (one === undefined) return;
  throw new LatheError('usage', `--${one} is for images, and ${task.name} learns from texts`);
}

/** How images are changed at random. Features of a frozen part are kept only of images that stay the same. */
export function augmentationOf({
  augment,
  flip,
  mixup,
  cutmix,
  freezeBackbone,
}: Pick<Given, 'augment' | 'flip'> & Partial<Pick<Given, 'mixup' | 'cutmix' | 'freezeBackbone'>>): Augmentation {
  const mixing = { ...(mixup !== undefined && { mixup }), ...(cutmix !== undefined && { cutmix }) };
  return {
    ...AUGMENTATIONS[augment ?? (freezeBackbone ? 'none' : 'light')],
    ...(flip && { flip }),
    ...(Object.keys(mixing).length > 0 && { mixing }),
  };
}

async function openData(
  given: Given,
  terminal: Terminal,
): Promise<{ readonly task: TrainableTask; readonly dataset: PreparedDataset }> {
  const { data, seed } = given;
  const prepared = isPrepared(data);
  const name = await taskOf(given.task, data, given, prepared ? (await openDataset(data)).facts : undefined);
  const progress = terminal.progress(`reading ${data}`);
  const dataset = await openTaskData(data, TASKS[name], given, { seed, signal: terminal.signal });
  if (!prepared) progress.done(`read ${data}: ${dataset.facts.rows.kept} rows kept of ${dataset.facts.rows.read}`);
  return { task: TRAINABLE_TASKS[name], dataset };
}

/** Parameters that are settings of the loop under the same name, and whose defaults depend on the architecture. */
const OWN_DEFAULTS = [
  'epochs',
  'batchSize',
  'accumulation',
  'learningRate',
  'schedule',
  'warmup',
  'clipNorm',
  'patience',
  'validationsPerEpoch',
] as const satisfies readonly (keyof Given & keyof TrainSettings)[];

type LoopGiven = Pick<
  Given,
  (typeof OWN_DEFAULTS)[number] | 'freeze' | 'seed' | 'threads' | 'timeBudget' | 'weightDecay'
> &
  Partial<Pick<Given, 'arch' | 'model'>>;

/** What the user set; what is left out keeps the architecture's own default. */
export function settingsOf(given: LoopGiven): Partial<TrainSettings> {
  const { freeze, seed, threads, timeBudget, weightDecay, arch, model } = given;
  return {
    ...Object.fromEntries(OWN_DEFAULTS.filter((name) => given[name] !== undefined).map((name) => [name, given[name]])),
    ...(timeBudget !== undefined && { timeBudgetSeconds: timeBudget }),
    ...((arch !== 'linear' || model !== undefined) && { optimizer: { name: 'adamW' as const, weightDecay } }),
    freeze,
    seed,
    threads,
  };
}
