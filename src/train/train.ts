import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asIoError } from '../base/atomic-write.ts';
import { LatheError } from '../base/index.ts';
import { lock } from '../base/lock.ts';
import { type BatchStep, serializeDataset, type TensorDataset } from '../data/index.ts';
import { encodeModel, liftConstants, type Model, writeModel } from '../graph/index.ts';
import { attachLoss, type Loss } from '../nn/index.ts';
import { readCheckpoint } from './checkpoint.ts';
import type { TrainEvent } from './events.ts';
import { JOB_FILES, type JobDescription } from './job.ts';
import { makeJobFolder } from './job-folder.ts';
import type { Objective } from './objectives/objectives.ts';
import { checkSettings, DEFAULT_SETTINGS, type TrainSettings } from './settings.ts';
import { trainableParameters } from './trainable.ts';
import { followProcess } from './training-process.ts';
import { withParameters } from './validation.ts';

export interface TrainOptions {
  /** The model to train, in the form that predicts. */
  readonly model: Model;
  /** Its training form (with dropout), with the same parameters. Default: `model`. */
  readonly trainingForm?: Model;
  readonly loss: Loss;
  /** What validation measures, where it is not `loss`: the columns that only `loss` reads are then in the train split alone. */
  readonly validationLoss?: Loss;
  readonly objective: Objective;
  readonly data: { readonly train: TensorDataset; readonly validation: TensorDataset };
  /** What is done to each batch before it is run, anew in every epoch. */
  readonly batchSteps?: readonly BatchStep[];
  /** The column of the labels, or the input that a batch step makes of them; default `labels`. */
  readonly labels?: string;
  /** The output that the loss and the objective read; default `logits`. */
  readonly predictions?: string;
  /** Names of the parameters to train. Default: all that `trainableParameters` finds, but those that settings freeze. */
  readonly trainable?: readonly string[];
  readonly settings?: Partial<TrainSettings>;
  /** The folder of the run. Checkpoints of another run in it go, unless this one resumes it. */
  readonly folder: string;
  /** Go on from the last checkpoint in `folder`, if there is one. */
  readonly resume?: boolean;
  /** Aborting saves a checkpoint and ends the run. */
  readonly signal?: AbortSignal;
}

/**
 * Trains a model in a process of its own. Iterate to start it: events arrive as it goes on, the last is `end`. The
 * best parameters are then in `checkpoints/best.safetensors` of the run's folder: `trainedModel` puts them in place.
 *
 * Throws LatheError('diverged') when the loss is no longer finite, 'usage' for settings out of range, a checkpoint of
 * another run or a folder that another process trains in, and 'internal' when the process dies.
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainEvent, void> {
  const settings: TrainSettings = { ...DEFAULT_SETTINGS, ...options.settings };
  checkSettings(settings);
  for (const [name, dataset] of Object.entries(options.data)) {
    if (dataset.size === 0) throw new LatheError('invalid-data', `the ${name} split has no examples`);
  }
  const folder = resolve(options.folder);
  await mkdir(folder, { recursive: true });
  const unlock = await lock(join(folder, '.lock'), {
    waiting(pid) {
      throw new LatheError('usage', `process ${pid} is training in "${options.folder}"`, {
        hint: 'Wait for it to end, or choose another folder for this run.',
      });
    },
  });
  try {
    if (options.resume !== true) await rm(join(folder, 'checkpoints'), { recursive: true, force: true });
    const jobFolder = await makeJobFolder(folder);
    try {
      await writeJob(jobFolder, folder, options, settings);
      yield* runProcess(jobFolder, options.signal);
    } finally {
      await rm(jobFolder, { recursive: true, force: true });
    }
  } finally {
    await unlock();
  }
}

/** The model with the best parameters of a run. Throws LatheError('not-found') when the run has none. */
export async function trainedModel(model: Model, folder: string): Promise<Model> {
  const path = join(folder, 'checkpoints', 'best.safetensors');
  const best = await readCheckpoint(path);
  if (best === undefined) throw new LatheError('not-found', `the run in "${folder}" has no checkpoint "${path}"`);
  return withParameters(liftConstants(model).model, best.tensors);
}

async function writeJob(
  jobFolder: string,
  folder: string,
  options: TrainOptions,
  settings: TrainSettings,
): Promise<void> {
  const { loss, labels = 'labels', predictions = 'logits', data } = options;
  const names = { predictions, labels };
  const model = liftConstants(options.model).model;
  const training = attachLoss(liftConstants(options.trainingForm ?? model).model, loss, names);
  const inference = attachLoss(model, options.validationLoss ?? loss, names);
  const files = { train: serializeDataset(data.train), validation: serializeDataset(data.validation) };
  const {
    threads: _threads,
    checkpointSeconds: _checkpointSeconds,
    timeBudgetSeconds: _timeBudget,
    ...decisive
  } = settings;
  const trainable = options.trainable ?? trainableParameters(model, settings.freeze);
  const hash = createHash('sha256')
    .update(JSON.stringify([decisive, options.batchSteps ?? [], trainable]))
    .update(encodeModel(training));
  for (const file of Object.values(files)) hash.update(file);
  const description: JobDescription = {
    trainable,
    labels,
    predictions,
    objective: options.objective,
    ...(options.batchSteps && { batchSteps: options.batchSteps }),
    settings,
    folder,
    fingerprint: hash.digest('hex'),
    resume: options.resume === true,
  };
  await Promise.all([
    writeModel(training, join(jobFolder, JOB_FILES.training)),
    writeModel(inference, join(jobFolder, JOB_FILES.inference)),
    writeFile(join(jobFolder, JOB_FILES.train), files.train),
    writeFile(join(jobFolder, JOB_FILES.validation), files.validation),
    writeFile(join(jobFolder, JOB_FILES.description), JSON.stringify(description)),
  ]).catch((cause: unknown) => {
    throw asIoError(jobFolder, cause);
  });
}

function runProcess(jobFolder: string, signal: AbortSignal | undefined): AsyncGenerator<TrainEvent, void> {
  // Tests run from the sources, which Node cannot load: their process runs what was built.
  const entry = fileURLToPath(new URL('./process.js', import.meta.url)).replace(
    /([\\/])src([\\/]train[\\/]process\.js)$/,
    '$1dist$2',
  );
  return followProcess(entry, jobFolder, signal);
}
