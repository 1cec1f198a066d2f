import { join } from 'node:path';
import { LatheError } from '../base/index.ts';
import { textSteps } from '../data/index.ts';
import {
  type Example,
  type Manifest,
  originOf,
  type Package,
  type PackageContents,
  type TaskName,
  writePackage,
} from '../pipeline/index.ts';
import { DEFAULT_SETTINGS } from '../train/index.ts';
import type { BaselineComparison } from '../train/report/index.ts';
import { hashOfAdapted, writeAdapter } from './adapter-folder.ts';
import { type Candidate, makeCandidate } from './candidate.ts';
import { isInner, prepareLesson } from './distillation.ts';
import { type Evaluated, evaluateModel } from './evaluation.ts';
import { readExamples, textsOf } from './examples.ts';
import { imageFactsOf } from './image-candidate.ts';
import { adaptForms, type LoraSettings } from './lora.ts';
import { modelCard } from './model-card.ts';
import { type RunFacts, writeRunReport } from './run-report.ts';
import { settingsRecord } from './settings-record.ts';
import { withFewerLayers } from './start/fewer-layers.ts';
import { openStart, type Start } from './start/start.ts';
import type { Terminal } from './terminal.ts';
import { bestTensors, type Splits, trainCandidate } from './train-candidate.ts';
import type { Learning, TrainPlan } from './train-plan.ts';
import { versions } from './versions.ts';

export interface TrainedTask {
  readonly package: Package;
  readonly evaluated: Evaluated;
  readonly baseline?: { readonly evaluated: Evaluated; readonly comparison?: BaselineComparison };
  readonly reportPath: string;
  readonly stopped: string;
}

/** From prepared data to a package with its evaluation and report. */
export async function trainTask(asked: TrainPlan, terminal: Terminal): Promise<TrainedTask> {
  const { task, dataset, runFolder } = asked;
  const { columns, target } = dataset.facts;
  const labelled = task.task.target !== 'none';
  const { distillation } = asked;
  const labels = !labelled ? [] : (distillation?.teacher.manifest.labels ?? dataset.facts.labels);
  const splits: Splits = {
    train: await readExamples(dataset, 'train', { labelled }),
    validation: await readExamples(dataset, 'validation', { labelled }),
    test: await readExamples(dataset, 'test', { labelled }),
  };
  task.check?.(splits.train, labels);
  const positive = asked.positive ?? task.positive?.(splits.train, labels);
  const keeping = asked.freezeBackbone === true ? '--freeze-backbone' : asked.lora === undefined ? undefined : '--lora';
  if (keeping !== undefined && asked.model === undefined) {
    throw new LatheError('usage', `${keeping}: a model from scratch has nothing to keep`, {
      hint: 'Name what to begin with: --model SOURCE.',
    });
  }
  if (asked.lora !== undefined && asked.freezeBackbone === true) {
    throw new LatheError('usage', '--lora and --freeze-backbone: adapters change what the other keeps', {
      hint: 'Choose one of them.',
    });
  }
  if (positive !== undefined && !labels.includes(positive)) {
    throw new LatheError('usage', `--positive: there is no label "${positive}"; the labels are ${labels.join(', ')}`);
  }
  const { tokenizer, head } = asked;
  const begun =
    asked.model === undefined ? undefined : await openStart(asked.model, { task, labels, tokenizer, head }, terminal);
  const layers = distillation?.layers;
  const start = begun !== undefined && layers !== undefined ? withFewerLayers(begun, layers) : begun;
  const plan = pooledAsBefore(asked, start);
  const learning = terminal.progress(
    start !== undefined
      ? `reading ${plan.model}`
      : plan.arch === 'linear'
        ? 'learning the n-grams'
        : columns.image !== undefined
          ? 'building the model'
          : 'training the tokenizer',
  );
  const taskSettings = settingsOf(plan, splits.train);
  const shared = {
    task,
    labels,
    texts: textsOf(splits.train),
    ...(columns.image !== undefined && { images: await imageFactsOf(dataset) }),
    imageSize: plan.imageSize,
    maxLength: plan.maxLength,
    vocabularySize: plan.vocabularySize,
    lowercase: plan.lowercase,
    dropout: plan.dropout,
    settings: taskSettings,
    ...(distillation && { vocabulary: distillation.vocabulary, everyRow: isInner(distillation.method) }),
    seed: plan.settings.seed ?? DEFAULT_SETTINGS.seed,
  };
  const made = makeCandidate(plan.arch, {
    ...shared,
    ...(start && { start }),
    freeze: plan.settings.freeze ?? [],
    freezeBatchNorm: plan.freezeBatchNorm === true,
    freezeBackbone: plan.freezeBackbone === true,
    onProgress: (done, total) => learning.update(done, total),
  });
  learning.done();
  const candidate = plan.lora === undefined ? made : withLora(made, plan.lora, shared.seed, terminal);
  if (start !== undefined) {
    const anew = (candidate.initialized ?? []).map((name) => name.replace(/\.(weight|bias)$/, ''));
    terminal.say(
      `begins with ${plan.model}${anew.length > 0 ? `; new: ${[...new Set(anew)].join(', ')}` : ', its head too'}`,
    );
    if (plan.freezeBackbone !== true && plan.lora === undefined && task.head === 'sequence-classification')
      terminal.hint('--freeze-backbone trains the head alone, on features computed once: a first result in seconds');
  }

  const learned: Learning = { ...plan, positive, labels, taskSettings };
  const lesson = distillation && (await prepareLesson(distillation, candidate, splits, learned, terminal));
  const trained = await trainCandidate(
    lesson?.candidate ?? candidate,
    lesson?.splits ?? splits,
    learned,
    { runFolder, settings: plan.settings, resume: plan.resume, ...(lesson && { teaching: lesson.teaching }) },
    terminal,
  );
  const pipelineSpec = pipelineOf(learned, candidate);
  const evaluated = await evaluateModel(
    trained.model,
    { ...learned, features: candidate.features, pipeline: pipelineSpec },
    splits.test,
  );

  let baseline: TrainedTask['baseline'];
  if (plan.baseline && (plan.arch !== 'linear' || start !== undefined) && task.linearOutputs !== undefined) {
    const linear = makeCandidate('linear', { ...shared, ...(candidate.reading && { reading: candidate.reading }) });
    const folder = join(runFolder, 'baseline');
    const { model } = await trainCandidate(
      linear,
      splits,
      learned,
      { runFolder: folder, settings: { seed: shared.seed, threads: plan.settings.threads ?? 0 }, resume: false },
      terminal,
    );
    const answers = await evaluateModel(
      model,
      { ...learned, features: linear.features, pipeline: pipelineOf(learned, linear) },
      splits.test,
    );
    const comparison = task.compare?.(evaluated, answers, 0);
    baseline = { evaluated: answers, ...(comparison && { comparison }) };
  }

  const { settings } = trained;
  const contents: PackageContents = {
    model: trained.model,
    manifest: {
      task: task.task.name as TaskName,
      labels: [...labels],
      ...(positive !== undefined && { positive }),
      pipeline: pipelineSpec,
      columns: {
        ...(columns.text !== undefined && { text: columns.text }),
        ...(columns.image !== undefined && { image: columns.image }),
        ...(columns.textPair !== undefined && { textPair: columns.textPair }),
        ...(labelled && columns.label !== undefined && { label: columns.label }),
        ...(labelled && target !== task.task.target && target !== 'none' && { target }),
        ...(plan.labelSeparator !== undefined && { labelSeparator: plan.labelSeparator }),
      },
      metrics: [
        {
          split: 'test',
          dataHash: dataset.facts.contentHash,
          examples: evaluated.examples.length,
          values: { ...evaluated.report.metrics },
        },
      ],
      lineage: {
        step: distillation === undefined ? 'train' : 'distill',
        settings: settingsRecord(plan, settings),
        seed: settings.seed,
        dataHash: dataset.facts.contentHash,
        versions: versions(),
        createdAt: new Date().toISOString(),
        ...(distillation && { from: { teacher: originOf(distillation.teacher) } }),
      },
    },
    files: {
      ...candidate.files,
      ...task.files?.(trained.model, pipelineSpec.settings ?? {}),
      'README.md': modelCard({
        plan,
        labels,
        positive,
        report: evaluated.report,
        ...(baseline && { baseline: baseline.evaluated.report }),
      }),
    },
  };
  const written = await writePackage(plan.out, contents);
  if (candidate.adapters !== undefined && plan.model !== undefined) {
    const { model: source, maxLength, imageSize, dropout } = plan;
    const folder = join(runFolder, 'adapter');
    await writeAdapter(
      folder,
      {
        task: contents.manifest.task,
        model: { source, tokenizer, head, sha256: hashOfAdapted(made.forms.model, candidate.adapters) },
        labels: [...labels],
        maxLength,
        imageSize,
        dropout,
        seed: shared.seed,
        adapters: [...candidate.adapters],
        manifest: contents.manifest,
        readme: contents.files['README.md']!,
      },
      await bestTensors(runFolder),
    );
    terminal.say(`adapters, small: ${folder}`);
  }

  const facts: RunFacts = {
    plan,
    evaluated,
    trained,
    parameters: written.manifest.variants.fp32!.parameters,
    bytes: written.manifest.variants.fp32!.bytes,
    ...(baseline && { baseline }),
  };
  const reportPath = await writeRunReport(facts, task.details?.(evaluated) ?? {});
  return { package: written, evaluated, reportPath, stopped: trained.stopped, ...(baseline && { baseline }) };
}

/** Adapters beside the weights of a start: what is trained, with the head. */
function withLora(candidate: Candidate, settings: LoraSettings, seed: number, terminal: Terminal): Candidate {
  const { forms, adapters, trainable, counts } = adaptForms(candidate.forms, candidate.head ?? [], settings, seed);
  const share = ((100 * counts.trained) / counts.all).toFixed(2);
  terminal.say(
    `adapters of rank ${settings.rank} beside ${adapters.length} weights: ${counts.trained.toLocaleString('en')} parameters are trained, ${share} % of ${counts.all.toLocaleString('en')}`,
  );
  // A matrix of low rank takes larger steps than the weight that it stands beside.
  const learningRate = 5 * (candidate.defaults.learningRate ?? DEFAULT_SETTINGS.learningRate);
  return { ...candidate, forms, adapters, trainable, defaults: { ...candidate.defaults, learningRate } };
}

/** Embeddings go on with the pooling that the start was trained with, where nothing else is asked for. */
function pooledAsBefore(plan: TrainPlan, start: Start | undefined): TrainPlan {
  const pooling = start?.kind === 'architecture' ? start.pooling : undefined;
  if (pooling === undefined || !plan.task.task.settings.safeParse({ pooling }).success) return plan;
  return { ...plan, taskSettings: { pooling, ...plan.taskSettings } };
}

/** Settings of the processing behind the model. */
function settingsOf(
  { task, taskSettings }: TrainPlan,
  examples: readonly Example[],
): Readonly<Record<string, unknown>> {
  return task.task.settings.parse({ ...task.settings?.(examples), ...taskSettings });
}

function pipelineOf(plan: Learning, candidate: Candidate): Manifest['pipeline'] {
  const {
    task: { task },
    dataset,
  } = plan;
  const { source, cleaning, columns } = dataset.facts;
  const isMail = source.kind === 'mail' || source.kind === 'mail-json';
  const stepsOf = (column: string) =>
    textSteps(
      cleaning.map(({ step }) => step),
      column,
    );
  const settings = plan.taskSettings;
  return {
    input: columns.image !== undefined ? 'image' : isMail ? 'mail' : 'text',
    steps: columns.text === undefined ? [] : stepsOf(columns.text),
    ...(columns.textPair !== undefined && {
      pairSteps: stepsOf(columns.textPair).filter(({ column }) => column !== undefined),
    }),
    features: candidate.features.spec,
    output: { name: candidate.output ?? task.outputs[0]!, scores: task.scores },
    ...(Object.keys(settings).length > 0 && { settings }),
  };
}
