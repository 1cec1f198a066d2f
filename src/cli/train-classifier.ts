import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LatheError } from '../base/index.ts';
import { type PreparedDataset, type TensorDataset, textSteps } from '../data/index.ts';
import type { Model } from '../graph/index.ts';
import { type ClassifierComparison, classificationCurves } from '../metrics/index.ts';
import { crossEntropy } from '../nn/index.ts';
import { type Manifest, type Package, type Pipeline, pipelineOver, writePackage } from '../pipeline/index.ts';
import { openSession } from '../runtime/index.ts';
import { DEFAULT_SETTINGS, type TrainEvent, type TrainSettings, train, trainedModel } from '../train/index.ts';
import { type ArchitectureName, type Candidate, makeCandidate } from './candidate.ts';
import { compare, type Evaluated, evaluate, type LabelledTexts, readLabelled } from './evaluation.ts';
import { modelCard } from './model-card.ts';
import { type RunFacts, writeRunReport } from './run-report.ts';
import { settingsRecord } from './settings-record.ts';
import type { Terminal } from './terminal.ts';
import { versions } from './versions.ts';

export interface ClassifierPlan {
  readonly dataset: PreparedDataset;
  /** How the user named the data. */
  readonly source: string;
  readonly arch: ArchitectureName;
  readonly settings: Partial<TrainSettings>;
  readonly maxLength: number;
  readonly vocabularySize: number;
  readonly lowercase: boolean;
  readonly dropout: number;
  readonly labelSmoothing: number;
  /** `auto` weighs each class by the inverse of its share. */
  readonly classWeights: 'none' | 'auto';
  readonly positive?: string | undefined;
  /** Trains the linear model beside, on the same texts, and compares. */
  readonly baseline: boolean;
  readonly out: string;
  readonly runFolder: string;
  readonly resume: boolean;
  readonly command: string;
}

export interface TrainedClassifier {
  readonly package: Package;
  readonly evaluated: Evaluated;
  readonly baseline?: { readonly evaluated: Evaluated; readonly comparison: ClassifierComparison };
  readonly reportPath: string;
  readonly stopped: string;
}

interface Splits {
  readonly train: LabelledTexts;
  readonly validation: LabelledTexts;
  readonly test: LabelledTexts;
}

/** From prepared data to a package with its evaluation and report. */
export async function trainClassifier(plan: ClassifierPlan, terminal: Terminal): Promise<TrainedClassifier> {
  const { dataset, runFolder } = plan;
  const { labels } = dataset.facts;
  const splits: Splits = {
    train: await readLabelled(dataset, 'train', labels),
    validation: await readLabelled(dataset, 'validation', labels),
    test: await readLabelled(dataset, 'test', labels),
  };
  checkLabels(splits.train, labels);
  const positive = plan.positive ?? rarerOfTwo(splits.train, labels);
  if (positive !== undefined && !labels.includes(positive)) {
    throw new LatheError('usage', `--positive: there is no label "${positive}"; the labels are ${labels.join(', ')}`);
  }
  if (!plan.resume) await rm(join(runFolder, 'checkpoints'), { recursive: true, force: true });
  await mkdir(runFolder, { recursive: true });

  const learning = terminal.progress(plan.arch === 'linear' ? 'learning the n-grams' : 'training the tokenizer');
  const shared = {
    labels,
    texts: splits.train.texts,
    maxLength: plan.maxLength,
    vocabularySize: plan.vocabularySize,
    lowercase: plan.lowercase,
    dropout: plan.dropout,
    seed: plan.settings.seed ?? DEFAULT_SETTINGS.seed,
  };
  const candidate = makeCandidate(plan.arch, { ...shared, onProgress: (done, total) => learning.update(done, total) });
  learning.done();

  const trained = await trainCandidate(
    candidate,
    splits,
    plan,
    { runFolder, settings: plan.settings, resume: plan.resume },
    terminal,
  );
  const pipelineSpec = pipelineOf(plan, candidate);
  const evaluated = await evaluateModel(trained.model, candidate, pipelineSpec, labels, splits.test, positive);

  let baseline: (TrainedClassifier['baseline'] & { readonly model: Model }) | undefined;
  if (plan.baseline && plan.arch !== 'linear') {
    const linear = makeCandidate('linear', { ...shared, ...(candidate.reading && { reading: candidate.reading }) });
    const folder = join(runFolder, 'baseline');
    const { model } = await trainCandidate(
      linear,
      splits,
      plan,
      { runFolder: folder, settings: { seed: shared.seed, threads: plan.settings.threads ?? 0 }, resume: false },
      terminal,
    );
    const answers = await evaluateModel(model, linear, pipelineOf(plan, linear), labels, splits.test, positive);
    baseline = { evaluated: answers, comparison: compare(evaluated, answers, labels, positive), model };
  }

  const settings: TrainSettings = { ...DEFAULT_SETTINGS, ...candidate.defaults, ...plan.settings };
  const written = await writePackage(plan.out, {
    model: trained.model,
    manifest: {
      task: 'text-classification',
      labels: [...labels],
      ...(positive !== undefined && { positive }),
      pipeline: pipelineSpec,
      columns: { text: dataset.facts.columns.text, label: dataset.facts.columns.label! },
      metrics: [
        {
          split: 'test',
          dataHash: dataset.facts.contentHash,
          examples: evaluated.truth.length,
          values: { ...evaluated.report.metrics },
        },
      ],
      lineage: {
        step: 'train',
        settings: settingsRecord(plan, settings),
        seed: settings.seed,
        dataHash: dataset.facts.contentHash,
        versions: versions(),
        createdAt: new Date().toISOString(),
      },
    },
    files: {
      ...candidate.files,
      'README.md': modelCard({
        plan,
        labels,
        positive,
        report: evaluated.report,
        ...(baseline && { baseline: baseline.evaluated.report }),
      }),
    },
  });

  const facts: RunFacts = {
    plan,
    settings,
    evaluated,
    trained,
    parameters: written.manifest.variants.fp32!.parameters,
    bytes: written.manifest.variants.fp32!.bytes,
    positive,
    truncatedShare: trained.truncatedShare,
    ...(baseline && { baseline }),
  };
  const reportPath = await writeRunReport(facts, {
    curves: classificationCurves(
      evaluated.truth,
      evaluated.scores,
      labels,
      positive === undefined ? {} : { positive: labels.indexOf(positive) },
    ),
  });
  return {
    package: written,
    evaluated,
    reportPath,
    stopped: trained.stopped,
    ...(baseline && { baseline: { evaluated: baseline.evaluated, comparison: baseline.comparison } }),
  };
}

export interface TrainedCandidate {
  readonly model: Model;
  readonly runFolder: string;
  readonly stopped: string;
  readonly seconds: number;
  readonly paddingShare: number;
  readonly truncatedShare: number;
  readonly bestStep?: number;
  readonly stepsPerEpoch: number;
  readonly examplesPerSecond: number;
  readonly tokensPerSecond: number;
}

async function trainCandidate(
  candidate: Candidate,
  splits: Splits,
  plan: Pick<ClassifierPlan, 'labelSmoothing' | 'classWeights' | 'dataset' | 'positive'>,
  run: { readonly runFolder: string; readonly settings: Partial<TrainSettings>; readonly resume: boolean },
  terminal: Terminal,
): Promise<TrainedCandidate> {
  const { labels } = plan.dataset.facts;
  const settings: TrainSettings = { ...DEFAULT_SETTINGS, ...candidate.defaults, ...run.settings };
  const encoding = terminal.progress(`reading texts for ${candidate.name}`);
  const features = {
    train: candidate.features.extract(splits.train.texts, (done) => encoding.update(done, splits.train.texts.length)),
    validation: candidate.features.extract(splits.validation.texts),
  };
  encoding.done();
  const positive = plan.positive ?? rarerOfTwo(splits.train, labels);
  const events = train({
    model: candidate.model,
    trainingForm: candidate.trainingForm,
    loss: crossEntropy({
      labelSmoothing: plan.labelSmoothing,
      ...(plan.classWeights === 'auto' && { classWeights: balancedWeights(splits.train, labels.length) }),
    }),
    objective: { kind: 'classification', labels, ...(positive !== undefined && { positive }) },
    data: {
      train: withLabels(features.train.dataset, splits.train),
      validation: withLabels(features.validation.dataset, splits.validation),
    },
    settings,
    folder: run.runFolder,
    resume: run.resume,
    signal: terminal.signal,
  });
  const end = await follow(events, candidate.name, terminal);
  if (end.reason === 'interrupted') {
    throw new LatheError('interrupted', `stopped at step ${end.step}; a checkpoint is in ${run.runFolder}`, {
      hint: 'Repeat the command with --resume to go on.',
    });
  }
  return {
    model: await trainedModel(candidate.model, run.runFolder),
    runFolder: run.runFolder,
    stopped: end.reason,
    seconds: end.seconds,
    paddingShare: end.paddingShare,
    truncatedShare: features.train.truncated / splits.train.texts.length,
    ...(end.best && { bestStep: end.best.step }),
    stepsPerEpoch: Math.ceil(splits.train.texts.length / settings.batchSize / settings.accumulation),
    examplesPerSecond: end.examplesPerSecond,
    tokensPerSecond: end.tokensPerSecond,
  };
}

type End = Extract<TrainEvent, { type: 'end' }> & {
  readonly examplesPerSecond: number;
  readonly tokensPerSecond: number;
};

/** Shows the events of a run as it goes on; gives the last one with the speed seen. */
async function follow(events: AsyncIterable<TrainEvent>, name: string, terminal: Terminal): Promise<End> {
  const progress = terminal.progress(`training ${name}`);
  let speed = { examplesPerSecond: 0, tokensPerSecond: 0 };
  let scores = '';
  for await (const event of events) {
    if (event.type === 'start' && event.resumedFrom > 0) terminal.say(`going on from step ${event.resumedFrom}`);
    if (event.type === 'step') {
      speed = { examplesPerSecond: event.examplesPerSecond, tokensPerSecond: event.tokensPerSecond };
      progress.update(
        event.step,
        event.totalSteps,
        `loss ${event.loss.toFixed(3)}, ${Math.round(event.examplesPerSecond)} examples/s${scores}`,
      );
    }
    if (event.type === 'validation')
      scores = `, validation F1 ${event.metrics.f1?.toFixed(4)}${event.improved ? ' (best)' : ''}`;
    if (event.type === 'end') {
      progress.done(
        `trained ${name}: ${event.step} steps${scores}${event.reason === 'finished' ? '' : `, ended by ${event.reason}`}`,
      );
      return { ...event, ...speed };
    }
  }
  throw new LatheError('internal', `training of ${name} ended without a result`);
}

async function evaluateModel(
  model: Model,
  candidate: Candidate,
  pipeline: Manifest['pipeline'],
  labels: readonly string[],
  data: LabelledTexts,
  positive: string | undefined,
): Promise<Evaluated> {
  const opened: Pipeline = pipelineOver({
    labels,
    pipeline,
    features: candidate.features,
    session: await openSession(model),
  });
  try {
    return await evaluate(opened, data, { positive });
  } finally {
    await opened.close();
  }
}

function pipelineOf({ dataset }: ClassifierPlan, candidate: Candidate): Manifest['pipeline'] {
  const { facts } = dataset;
  const isMail = facts.source.kind === 'mail' || facts.source.kind === 'mail-json';
  return {
    input: isMail ? 'mail' : 'text',
    steps: textSteps(
      facts.cleaning.map(({ step }) => step),
      facts.columns.text,
    ),
    features: candidate.features.spec,
    output: { name: 'logits', scores: 'softmax' },
  };
}

function withLabels(dataset: TensorDataset, { truth }: LabelledTexts): TensorDataset {
  return {
    ...dataset,
    columns: { ...dataset.columns, labels: { kind: 'fixed', values: truth, dims: [], dtype: 'int64' } },
  };
}

function countsOf({ truth }: LabelledTexts, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of truth) counts[label]!++;
  return counts;
}

function checkLabels(train: LabelledTexts, labels: readonly string[]): void {
  if (labels.length < 2) {
    throw new LatheError(
      'invalid-data',
      `a classifier needs two labels or more, the data have ${labels.length === 0 ? 'none' : `only "${labels[0]}"`}`,
      { hint: 'Check --label.' },
    );
  }
  const missing = labels.filter((_, index) => countsOf(train, labels.length)[index] === 0);
  if (missing.length > 0)
    throw new LatheError(
      'invalid-data',
      `the train split has no example of ${missing.map((label) => `"${label}"`).join(', ')}`,
    );
}

/** Of two labels the one that training has less of: what such tasks are usually about (spam, fraud, defects). */
function rarerOfTwo(train: LabelledTexts, labels: readonly string[]): string | undefined {
  if (labels.length !== 2) return undefined;
  const [first, second] = countsOf(train, 2);
  return first! < second! ? labels[0] : labels[1];
}

/** n / (classes · count of the class), as scikit-learn's `balanced`. */
function balancedWeights(train: LabelledTexts, classes: number): number[] {
  return countsOf(train, classes).map((count) => train.truth.length / (classes * count));
}
