import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LatheError, type Tensor } from '../base/index.ts';
import { TEACHER_PREFIX } from '../compress/index.ts';
import { type Column, closeDataset, type TensorDataset, tensorDataset } from '../data/index.ts';
import { liftConstants, type Model } from '../graph/index.ts';
import { type Loss, mergeAdapters } from '../nn/index.ts';
import type { EncodedExamples, Example } from '../pipeline/index.ts';
import {
  DEFAULT_SETTINGS,
  makeJobFolder,
  readCheckpoint,
  type TrainEvent,
  type TrainSettings,
  train,
  trainableParameters,
  trainedModel,
} from '../train/index.ts';
import { metricName } from '../train/report/index.ts';
import type { Candidate } from './candidate.ts';
import { rowOf } from './examples.ts';
import { onKeptFeatures, type Training } from './kept-features.ts';
import type { Terminal } from './terminal.ts';
import type { LearningChoices } from './train-plan.ts';

/** Examples of each part of the data. */
export interface Splits {
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
  readonly test: readonly Example[];
}

export interface TrainedCandidate {
  readonly model: Model;
  /** All of those that it was trained with. */
  readonly settings: TrainSettings;
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

/** What a model learns from beside the labels; validation does without. */
export interface Teaching {
  /** Columns with a row for each example of the train split. */
  readonly columns?: Readonly<Record<string, Column>>;
  /** What is learned, given the task's own loss. */
  readonly loss: (own: Loss) => Loss;
  /** Parameters of the training form that are of the loss, and not of the model. */
  readonly parameters?: readonly string[];
  /** What is learned has no use for labels: validation measures it too, in place of the task's figures. */
  readonly alone?: boolean;
}

export interface RunOptions {
  readonly runFolder: string;
  /** Those that the user gave. */
  readonly settings: Partial<TrainSettings>;
  readonly resume: boolean;
  readonly teaching?: Teaching;
}

interface EncodedSplits {
  readonly train: EncodedExamples;
  readonly validation: EncodedExamples;
}

/** Makes inputs of the examples, trains a model on them in the folder of a run, and shows how it goes on. */
export async function trainCandidate(
  candidate: Candidate,
  splits: Splits,
  plan: LearningChoices,
  run: RunOptions,
  terminal: Terminal,
): Promise<TrainedCandidate> {
  const { name, features } = candidate;
  const { task, labels } = plan;
  const encoding = terminal.progress(
    `reading ${task.task.columns.image === undefined ? 'texts' : 'images'} for ${name}`,
  );
  const opened: TensorDataset[] = [];
  await mkdir(run.runFolder, { recursive: true });
  // Of this process alone: another one may be training in the folder, and is told of by `train`.
  const inputs = await makeJobFolder(run.runFolder);
  const encode = async (split: 'train' | 'validation'): Promise<EncodedExamples> => {
    const examples = splits[split];
    const encoded = await (task.encode ?? task.task.encode)(features, examples, {
      settings: plan.taskSettings,
      onProgress: (done) => encoding.update(done, examples.length),
      file: join(inputs, `${split}.bin`),
    });
    opened.push(encoded.dataset);
    const targets = task.targets(examples, encoded, labels, rowOf(split));
    const taught = split === 'train' ? run.teaching?.columns : undefined;
    if (taught !== undefined && encoded.dataset.size !== examples.length) {
      throw new LatheError('unsupported', `${task.task.name}: a teacher's outputs are by example, and rows are not`);
    }
    const columns = { ...encoded.dataset.columns, ...targets, ...taught };
    return { ...encoded, dataset: tensorDataset(columns) };
  };
  try {
    const encoded = { train: await encode('train'), validation: await encode('validation') };
    encoding.done();
    return await trainEncoded(candidate, encoded, splits.train, plan, run, terminal);
  } finally {
    for (const dataset of opened) closeDataset(dataset);
    await rm(inputs, { recursive: true, force: true });
  }
}

async function trainEncoded(
  { name, forms, features, defaults, output, trainable, adapters }: Candidate,
  encoded: EncodedSplits,
  examples: readonly Example[],
  plan: LearningChoices,
  run: RunOptions,
  terminal: Terminal,
): Promise<TrainedCandidate> {
  const { task, labels, labelSmoothing, classWeights, augmentation, positive } = plan;
  const settings: TrainSettings = { ...DEFAULT_SETTINGS, ...defaults, ...task.defaults, ...run.settings };
  const steps = task.batchSteps?.(features, plan) ?? [];
  const batchSteps = steps.length > 0 ? steps : undefined;
  const whole: Training = {
    forms,
    data: { train: encoded.train.dataset, validation: encoded.validation.dataset },
  };
  if (trainable !== undefined && adapters === undefined && batchSteps !== undefined)
    terminal.warn(`the frozen part is run in every step: ${task.task.name} makes other inputs in every epoch`);
  const training =
    trainable === undefined || adapters !== undefined || batchSteps !== undefined
      ? whole
      : await onKeptFeatures(whole, trainable, name, terminal);
  const { teaching } = run;
  const model = training.forms.validationForm ?? training.forms.model;
  const own = task.loss({ examples, labels, labelSmoothing, classWeights, augmentation });
  const loss = teaching?.loss(own) ?? own;
  const alone = teaching?.alone === true;
  const learned =
    trainable ?? (teaching && ofStudent(trainableParameters(liftConstants(model).model, settings.freeze)));
  const events = train({
    model,
    trainingForm: training.forms.trainingForm,
    loss,
    validationLoss: alone ? loss : own,
    objective: alone ? { kind: 'loss' } : task.objective(labels, positive),
    ...((task.predictions ?? output) !== undefined && { predictions: task.predictions ?? output! }),
    ...(batchSteps && { batchSteps }),
    ...(learned && { trainable: [...learned, ...(teaching?.parameters ?? [])] }),
    data: training.data,
    settings,
    folder: run.runFolder,
    resume: run.resume,
    signal: terminal.signal,
  });
  const end = await follow(events, name, terminal);
  if (end.reason === 'interrupted') {
    throw new LatheError('interrupted', `stopped at step ${end.step}; a checkpoint is in ${run.runFolder}`, {
      hint: 'Repeat the command with --resume to go on.',
    });
  }
  const trained = await trainedModel(forms.model, run.runFolder);
  return {
    model: adapters === undefined ? trained : mergeAdapters(trained, adapters, await bestTensors(run.runFolder)),
    settings,
    runFolder: run.runFolder,
    stopped: end.reason,
    seconds: end.seconds,
    paddingShare: end.paddingShare,
    truncatedShare: encoded.train.truncated / examples.length,
    ...(end.best && { bestStep: end.best.step }),
    stepsPerEpoch: Math.ceil(encoded.train.dataset.size / settings.batchSize / settings.accumulation),
    examplesPerSecond: end.examplesPerSecond,
    tokensPerSecond: end.tokensPerSecond,
  };
}

/** Parameters of a teacher that stands beside are not trained. */
const ofStudent = (names: readonly string[]): string[] => names.filter((name) => !name.startsWith(TEACHER_PREFIX));

/** What was trained, where it was best. */
export async function bestTensors(runFolder: string): Promise<ReadonlyMap<string, Tensor>> {
  return (await readCheckpoint(join(runFolder, 'checkpoints', 'best.safetensors')))!.tensors;
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
    if (event.type === 'validation') {
      const value = event.headline === 'loss' ? event.loss : event.metrics[event.headline];
      scores = `, validation ${metricName(event.headline)} ${value?.toFixed(4)}${event.improved ? ' (best)' : ''}`;
    }
    if (event.type === 'end') {
      progress.done(
        `trained ${name}: ${event.step} steps${scores}${event.reason === 'finished' ? '' : `, ended by ${event.reason}`}`,
      );
      return { ...event, ...speed };
    }
  }
  throw new LatheError('internal', `training of ${name} ended without a result`);
}
