import { basename, join } from 'node:path';
import { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import {
  loadFeatures,
  openPackage,
  type Package,
  refuseOtherFolder,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE,
} from '../../pipeline/index.ts';
import { TRAINABLE_TASKS } from '../../train/index.ts';
import { formatBytes } from '../../zoo/index.ts';
import { ARCHITECTURES, type ArchitectureName, type Vocabulary } from '../candidate.ts';
import { defineCommand } from '../command.ts';
import { commandLineOf } from '../command-line-of.ts';
import { comparePackages, showComparison } from '../comparison.ts';
import { balanceOf, DISTILLATION_METHODS, readUnlabeled } from '../distillation.ts';
import { readExamples, rowOf } from '../examples.ts';
import { openPackageData } from '../package-learning.ts';
import { findModel, pathsOf } from '../start/model-files.ts';
import type { Terminal } from '../terminal.ts';
import { trainTask } from '../train-task.ts';
import { evaluationJson, showUse } from '../trained-summary.ts';
import train, { augmentationOf, settingsOf } from './train.ts';

/** What is said of the student's training, as `lathe train` has it. */
const shared = train.parameters.pick({
  imageSize: true,
  augment: true,
  flip: true,
  epochs: true,
  batchSize: true,
  accumulation: true,
  learningRate: true,
  schedule: true,
  warmup: true,
  weightDecay: true,
  dropout: true,
  classWeights: true,
  clipNorm: true,
  freeze: true,
  patience: true,
  validationsPerEpoch: true,
  timeBudget: true,
  seed: true,
  threads: true,
  resume: true,
});

const own = z.object({
  teacher: z.string().meta({ description: 'package to learn from', placeholder: 'DIR' }),
  student: z.string().meta({
    description: `what learns: an architecture (${ARCHITECTURES.join(', ')}), a package or checkpoint to begin with, or layers=N of the teacher`,
    placeholder: 'ARCH|SOURCE|layers=N',
  }),
  data: train.parameters.shape.data!,
  text: z
    .string()
    .optional()
    .meta({ description: 'column of the text [default: as the teacher]', placeholder: 'COLUMN' }),
  textPair: z
    .string()
    .optional()
    .meta({ description: 'column of the second text [default: as the teacher]', placeholder: 'COLUMN' }),
  label: z
    .string()
    .optional()
    .meta({ description: 'column of the label [default: as the teacher]', placeholder: 'COLUMN' }),
  unlabeled: z.array(z.string()).default([]).meta({
    description: 'files of further texts, without labels: the teacher answers for them',
    placeholder: 'FILE',
  }),
  method: z.enum(DISTILLATION_METHODS).default('logits').meta({
    description:
      'logits: the softened scores; dist: relations of scores; tinybert, minilm: what is inside, then the scores; distilbert, cwd: both at once',
  }),
  temperature: z
    .number()
    .positive()
    .optional()
    .meta({ description: 'how far scores are softened [default: 2; 1 for dist, tinybert and cwd]' }),
  alpha: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .meta({ description: "the teacher's share of the loss, beside the labels' [default: 0.5; 1 for tinybert]" }),
  innerEpochs: z.int().positive().optional().meta({
    description: 'epochs of the stage that learns what is inside, for tinybert and minilm [default: as --epochs]',
  }),
  copies: z.int().min(0).max(100).default(0).meta({
    description:
      "copies of each text with other words near in the teacher's table, for which it answers; TinyBERT has 20",
  }),
  vocabularySize: z.int().min(100).max(200_000).optional().meta({
    description: "tokens of a tokenizer of the student's own [default: the teacher's tokenizer]",
  }),
  cased: z.boolean().default(false).meta({ description: 'of a tokenizer of its own: tell upper from lower case' }),
  maxLength: z
    .int()
    .min(8)
    .max(512)
    .optional()
    .meta({ description: 'tokens of a text that the student reads [default: as the teacher]' }),
  out: z.string().meta({ description: "folder of the student's package", placeholder: 'DIR' }),
  run: z
    .string()
    .optional()
    .meta({ description: 'folder of the run: metrics, checkpoints, report [default: runs/NAME]', placeholder: 'DIR' }),
  timed: z.int().min(10).default(100).meta({ description: 'examples whose answers are timed, one by one' }),
});

const parameters = own.extend(shared.shape);
type Given = z.infer<typeof own> &
  Parameters<typeof settingsOf>[0] &
  Parameters<typeof augmentationOf>[0] & {
    readonly imageSize?: number;
    readonly dropout: number;
    readonly classWeights: 'none' | 'auto';
    readonly resume: boolean;
  };

export default defineCommand({
  name: 'distill',
  summary: 'train a small model to answer as a large one does',
  description:
    "Trains a student on what a teacher says of each example, beside the labels, and writes the student's package. Then both are measured side by side on the test split: scores with a paired test, size, and the time of an answer.",
  parameters: parameters as z.ZodObject,
  examples: [
    [
      'lathe distill --teacher models/spam --student bert-tiny --data mails/ --out models/small',
      'a smaller architecture',
    ],
    [
      'lathe distill --teacher models/spam --student models/tiny --data mails/ --out models/taught',
      'a student that has learned before',
    ],
    [
      'lathe distill --teacher models/spam --student bert-tiny --data mails/ --unlabeled more.csv --out models/small',
      'with texts that nobody has labelled',
    ],
    [
      'lathe distill --teacher models/topics --student bert-tiny --data news.csv --method dist --out models/small',
      'many classes: by the relations of scores',
    ],
    [
      'lathe distill --teacher models/spam --student layers=2 --data mails/ --method distilbert --out models/small',
      'two layers of the teacher, which learn to do without the others',
    ],
    [
      'lathe distill --teacher models/spam --student bert-tiny --data mails/ --method tinybert --out models/small',
      'what is inside the teacher first, then what it says',
    ],
  ],
  files: (given) => {
    const { teacher, student, data, unlabeled, out, run = join('runs', basename(out)) } = given as Given;
    return {
      reads: [teacher, data, ...unlabeled, ...(isMade(student) ? [] : pathsOf(student))],
      writes: [out, join(run, 'report.html')],
      checkpoint: join(run, 'checkpoints', 'last.safetensors'),
    };
  },
  async run(values, terminal) {
    const given = values as Given;
    const { student, data, out, text, textPair, label } = given;
    await refuseOtherFolder(out);
    const teacher = await openPackage(given.teacher);
    const { manifest } = teacher;
    const task = TRAINABLE_TASKS[manifest.task];
    const arch = isArchitecture(student) ? student : undefined;
    const layers = layersOf(student);
    const model = arch !== undefined ? undefined : layers === undefined ? student : given.teacher;
    if (!isMade(student)) await refuseOtherAnswers(teacher, student, terminal);
    const dataset = await openPackageData(teacher, data, { text, textPair, label }, terminal);
    const { features } = manifest.pipeline;
    const vocabulary =
      given.vocabularySize === undefined && features.kind === 'tokens' ? await vocabularyOf(teacher) : undefined;
    const unlabeled = [];
    for (const file of given.unlabeled) unlabeled.push(...(await readUnlabeled(file, manifest, terminal)));
    const trained = await trainTask(
      {
        task,
        dataset,
        source: data,
        arch: arch ?? 'bert-tiny',
        model,
        distillation: {
          teacher,
          source: given.teacher,
          method: given.method,
          ...balanceOf(given.method, given),
          innerEpochs: given.innerEpochs,
          layers,
          unlabeled,
          copies: given.copies,
          vocabulary,
        },
        settings: settingsOf({ ...given, arch, model }),
        maxLength: given.maxLength ?? ('maxLength' in features ? (features.maxLength ?? 128) : 128),
        imageSize: given.imageSize,
        augmentation: augmentationOf(given),
        vocabularySize: given.vocabularySize ?? vocabulary?.tokenizer.vocabularySize ?? 16_000,
        lowercase: !given.cased,
        dropout: given.dropout,
        labelSmoothing: 0,
        classWeights: given.classWeights,
        wholeWords: false,
        taskSettings: manifest.pipeline.settings ?? {},
        labelSeparator: manifest.columns.labelSeparator,
        positive: manifest.positive,
        baseline: false,
        out,
        runFolder: given.run ?? join('runs', basename(out)),
        resume: given.resume,
        command: commandLineOf('distill', parameters, given),
      },
      terminal,
    );
    const examples = await readExamples(dataset, 'test', { labelled: task.task.target !== 'none' });
    const comparison = await comparePackages(
      task,
      [teacher, trained.package],
      examples,
      { variant: 'fp32', prepared: true, timed: given.timed, where: rowOf('test') },
      terminal,
    );
    terminal.say(`\nOn ${examples.length} examples of the test split:`);
    showComparison(comparison, terminal);
    const [large, small] = comparison.packages;
    terminal.say(
      `The student is ${(large!.bytes / small!.bytes).toFixed(1)} times smaller (${formatBytes(small!.bytes)}) and answers ${(large!.latencyMs.p50 / small!.latencyMs.p50).toFixed(1)} times faster.\nReport: ${trained.reportPath}`,
    );
    showUse(trained.package, terminal);
    return {
      package: trained.package.folder,
      report: trained.reportPath,
      stopped: trained.stopped,
      task: manifest.task,
      data,
      split: 'test',
      ...comparison,
      packages: comparison.packages.map(({ report, ...rest }) => ({
        ...rest,
        ...evaluationJson(report, dataset.facts.contentHash),
      })),
    };
  },
});

function isArchitecture(name: string): name is ArchitectureName {
  return (ARCHITECTURES as readonly string[]).includes(name);
}

/** Of `layers=2`: 2. */
function layersOf(student: string): number | undefined {
  const found = /^layers=(\d+)$/.exec(student);
  return found === null ? undefined : Number(found[1]);
}

/** Whether a student is made here, and not read from somewhere. */
const isMade = (student: string): boolean => isArchitecture(student) || layersOf(student) !== undefined;

/** The teacher's tokenizer, as the student's own. */
async function vocabularyOf(teacher: Package): Promise<Vocabulary | undefined> {
  const features = await loadFeatures(teacher.manifest.pipeline.features, (file) => teacher.readText(file));
  if ('preprocessing' in features || features.tokenizer === undefined) return undefined;
  return {
    tokenizer: features.tokenizer,
    files: {
      [TOKENIZER_FILE]: await teacher.readText(TOKENIZER_FILE),
      [TOKENIZER_CONFIG_FILE]: await teacher.readText(TOKENIZER_CONFIG_FILE),
    },
  };
}

/** A package that begins as a student gives the answers that the teacher gives. Throws 'usage' for one of other labels or tasks. */
async function refuseOtherAnswers(teacher: Package, student: string, terminal: Terminal): Promise<void> {
  const found = await findModel(student, terminal);
  if (found.kind !== 'package') return;
  const { manifest } = await openPackage(found.folder);
  for (const field of ['task', 'labels'] as const) {
    const [theirs, ours] = [teacher.manifest[field], manifest[field]].map(String);
    if (theirs === ours) continue;
    const what = field === 'task' ? 'is for' : 'has the labels';
    throw new LatheError('usage', `--student "${student}" ${what} ${ours}, the teacher ${what} ${theirs}`, {
      hint: 'Name a student of the same answers, or an architecture to train from scratch.',
    });
  }
}
