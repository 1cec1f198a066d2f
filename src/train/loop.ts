import { appendFile, mkdir, open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { deriveSeed, LatheError } from '../base/index.ts';
import {
  type BatchStep,
  bucketedBatches,
  gatherBatch,
  lengthsOf,
  runBatchSteps,
  type TensorDataset,
} from '../data/index.ts';
import type { Model } from '../graph/index.ts';
import { dropoutMasks, type MaskSource, maskSource } from '../nn/index.ts';
import type { SessionOptions } from '../runtime/index.ts';
import { type Checkpoint, type Position, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { divergedError, firstNonFinite } from './divergence.ts';
import type { StopReason, TrainEvent } from './events.ts';
import { headlineOfObjective, type Objective, scoreOf, startMeasure } from './objectives/objectives.ts';
import { learningRateAt } from './schedule.ts';
import { optimizerOf, type TrainSettings } from './settings.ts';
import { type Batch, openStepper, type Stepper } from './stepper.ts';
import { validate, withParameters } from './validation.ts';

export interface LoopJob {
  /** The training form with its loss: see `attachLoss`. */
  readonly training: Model;
  /** The inference form with its loss, of the same parameters. */
  readonly inference: Model;
  readonly trainable: readonly string[];
  readonly train: TensorDataset;
  readonly validation: TensorDataset;
  /** The column of the labels, in both. */
  readonly labels: string;
  /** The output that the objective reads. */
  readonly predictions: string;
  readonly objective: Objective;
  /** What is done to each batch, of both data sets, before it is run. */
  readonly batchSteps?: readonly BatchStep[];
  readonly settings: TrainSettings;
  /** The folder of the run: metrics.jsonl and checkpoints/ are written there. */
  readonly folder: string;
  readonly fingerprint: string;
  readonly resume: boolean;
}

export interface LoopControl {
  readonly emit: (event: TrainEvent) => void;
  /** Asked between steps: true saves a checkpoint and ends the run. */
  readonly shouldStop: () => boolean;
}

/** Steps before the time a step takes is believed, for a run with a time budget. */
const STEPS_TO_MEASURE = 10;
const EMIT_MS = 100;

/**
 * Trains to the end of the settings, or until it is told to stop. Everything random is a function of the seed and the
 * position, so that a run that goes on from a checkpoint ends with the same bits as one that never stopped.
 */
export async function runLoop(job: LoopJob, control: LoopControl): Promise<void> {
  const { settings } = job;
  const paths = {
    metrics: join(job.folder, 'metrics.jsonl'),
    last: join(job.folder, 'checkpoints', 'last.safetensors'),
    best: join(job.folder, 'checkpoints', 'best.safetensors'),
  };
  await mkdir(join(job.folder, 'checkpoints'), { recursive: true });
  const session: SessionOptions = { memoryPattern: false, ...(settings.threads > 0 && { threads: settings.threads }) };
  const stepper = await openStepper(job.training, {
    optimizer: optimizerOf(settings.optimizer),
    trainable: job.trainable,
    accumulation: settings.accumulation,
    session,
    ...(settings.clipNorm > 0 && { clipNorm: settings.clipNorm }),
  });
  try {
    const saved = job.resume ? await readCheckpoint(paths.last) : undefined;
    if (saved !== undefined) restore(stepper, saved, job.fingerprint);
    await (await open(paths.metrics, 'a')).close();
    await truncate(paths.metrics, saved?.position.metricsBytes ?? 0);
    await new Run(job, control, stepper, session, paths, saved?.position).toTheEnd();
  } finally {
    await stepper.close();
  }
}

function restore(stepper: Stepper, { tensors, position }: Checkpoint, fingerprint: string): void {
  if (position.fingerprint !== fingerprint) {
    throw new LatheError('usage', 'the checkpoint belongs to a run with another model, other data or other settings', {
      hint: 'Repeat the command that began the run, with --resume, or choose another --out.',
    });
  }
  stepper.restore(tensors);
}

class Run {
  readonly #job: LoopJob;
  readonly #control: LoopControl;
  readonly #stepper: Stepper;
  readonly #session: SessionOptions;
  readonly #paths: { readonly metrics: string; readonly last: string; readonly best: string };
  readonly #masks: MaskSource;
  readonly #lengths: Uint32Array | undefined;
  readonly #validationBatches: readonly Int32Array[];
  /** Without a time budget, all that there are. */
  readonly #plannedSteps: number;
  #position: Position;
  #sittingStarted = performance.now();
  #lastCheckpoint = performance.now();
  #lastEmit = 0;
  #tokens = { real: 0, padded: 0 };
  #examplesThisSitting = 0;
  #stepsThisSitting = 0;

  constructor(
    job: LoopJob,
    control: LoopControl,
    stepper: Stepper,
    session: SessionOptions,
    paths: { metrics: string; last: string; best: string },
    position: Position | undefined,
  ) {
    this.#job = job;
    this.#control = control;
    this.#stepper = stepper;
    this.#session = session;
    this.#paths = paths;
    this.#masks = maskSource(dropoutMasks(job.training), { seed: job.settings.seed });
    this.#lengths = lengthsOf(job.train);
    this.#validationBatches = bucketedBatches({
      lengths: lengthsOf(job.validation),
      batchSize: job.settings.batchSize * 2,
      seed: 0,
      epoch: 0,
      shuffle: false,
    });
    this.#plannedSteps = job.settings.epochs * Math.ceil(this.#batches(0).length / job.settings.accumulation);
    this.#position = position ?? {
      step: 0,
      totalSteps: this.#plannedSteps,
      epoch: 0,
      batch: 0,
      seconds: 0,
      examplesSeen: 0,
      validationsWithoutImprovement: 0,
      metricsBytes: 0,
      fingerprint: job.fingerprint,
    };
  }

  async toTheEnd(): Promise<void> {
    const { settings } = this.#job;
    const before = this.#position.seconds;
    this.#control.emit({
      type: 'start',
      resumedFrom: this.#position.step,
      totalSteps: this.#position.totalSteps,
      trainable: this.#stepper.slots.length,
      parameters: this.#stepper.slots.reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b, 1), 0),
    });
    let reason: StopReason = 'finished';
    epochs: for (; this.#position.epoch < settings.epochs; ) {
      const batches = this.#batches(this.#position.epoch);
      const every = Math.max(1, Math.ceil(batches.length / settings.validationsPerEpoch));
      while (this.#position.batch < batches.length) {
        const group = batches.slice(this.#position.batch, this.#position.batch + settings.accumulation);
        await this.#step(group);
        const crossed =
          Math.floor(this.#position.batch / every) > Math.floor((this.#position.batch - group.length) / every);
        const ended = this.#position.batch >= batches.length;
        if (ended) this.#position = { ...this.#position, epoch: this.#position.epoch + 1, batch: 0 };
        this.#position = { ...this.#position, seconds: before + (performance.now() - this.#sittingStarted) / 1000 };
        this.#fitToBudget(before);
        const overBudget = settings.timeBudgetSeconds > 0 && this.#position.step >= this.#position.totalSteps;
        if (ended || crossed || overBudget) {
          await this.#validate();
          await this.#save();
          if (settings.patience > 0 && this.#position.validationsWithoutImprovement >= settings.patience) {
            reason = 'no improvement';
            break epochs;
          }
        }
        if (overBudget) {
          reason = 'time budget';
          break epochs;
        }
        if (this.#control.shouldStop()) {
          reason = 'interrupted';
          break epochs;
        }
        if (performance.now() - this.#lastCheckpoint > settings.checkpointSeconds * 1000) await this.#save();
        if (ended) break;
      }
    }
    await this.#save();
    const padding = this.#tokens.padded === 0 ? 0 : 1 - this.#tokens.real / this.#tokens.padded;
    this.#control.emit({
      type: 'end',
      reason,
      step: this.#position.step,
      seconds: this.#position.seconds,
      paddingShare: padding,
      ...(this.#position.best && { best: this.#position.best }),
    });
  }

  #batches(epoch: number): Int32Array[] {
    const { settings, train } = this.#job;
    return bucketedBatches({
      lengths: this.#lengths ?? new Uint32Array(train.size),
      batchSize: settings.batchSize,
      seed: deriveSeed(settings.seed, 'batches'),
      epoch,
      shuffle: true,
    });
  }

  async #step(group: readonly Int32Array[]): Promise<void> {
    const { settings, train, training } = this.#job;
    const step = this.#position.step + 1;
    const learningRate = learningRateAt(step, this.#position.totalSteps, {
      kind: settings.schedule,
      learningRate: settings.learningRate,
      warmup: settings.warmup,
    });
    const batches = group.map((indices, index) =>
      this.#withMasks(
        this.#prepared(train, indices, this.#position.epoch),
        this.#position.step * settings.accumulation + index,
      ),
    );
    const { loss, gradientNorm } = await this.#stepper.step(batches, step, learningRate);
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      const where = await firstNonFinite(withParameters(training, this.#stepper.parameters()), batches[0]!);
      throw divergedError(step, Number.isFinite(loss) ? 'the gradient is not finite' : `the loss is ${loss}`, where);
    }
    const examples = group.reduce((sum, indices) => sum + indices.length, 0);
    for (const indices of group) this.#countTokens(indices);
    this.#examplesThisSitting += examples;
    this.#stepsThisSitting++;
    this.#position = {
      ...this.#position,
      step,
      batch: this.#position.batch + group.length,
      examplesSeen: this.#position.examplesSeen + examples,
    };
    await this.#log({ kind: 'step', step, epoch: this.#position.epoch, loss, learningRate, gradientNorm });
    const now = performance.now();
    if (now - this.#lastEmit > EMIT_MS || step === this.#position.totalSteps) {
      this.#lastEmit = now;
      const seconds = (now - this.#sittingStarted) / 1000;
      this.#control.emit({
        type: 'step',
        step,
        totalSteps: this.#position.totalSteps,
        epoch: this.#position.epoch,
        loss,
        learningRate,
        gradientNorm,
        examplesPerSecond: this.#examplesThisSitting / seconds,
        tokensPerSecond: this.#tokens.real / seconds,
      });
    }
    // ONNX Runtime holds the thread for a whole step: let messages and signals in between two of them.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #prepared(dataset: TensorDataset, indices: Int32Array, epoch: number, batch = gatherBatch(dataset, indices)): Batch {
    const { batchSteps = [], settings } = this.#job;
    return runBatchSteps(batch, batchSteps, { indices, epoch, seed: settings.seed, dataset });
  }

  #withMasks(batch: Batch, run: number): Batch {
    const sizes: Record<string, number> = {};
    for (const { name, type } of this.#job.training.graph.inputs) {
      const dims = batch[name]?.dims;
      if (dims === undefined || type?.kind !== 'tensor') continue;
      type.shape?.forEach((dimension, axis) => {
        if (typeof dimension === 'string') sizes[dimension] = dims[axis]!;
      });
    }
    return { ...batch, ...Object.fromEntries(this.#masks(run, sizes)) };
  }

  #countTokens(indices: Int32Array): void {
    if (this.#lengths === undefined) return;
    let longest = 0;
    for (const index of indices) {
      this.#tokens.real += this.#lengths[index]!;
      longest = Math.max(longest, this.#lengths[index]!);
    }
    this.#tokens.padded += longest * indices.length;
  }

  /** With a time budget the end of the schedule is moved to where the time will be up, once it is known what a step takes. */
  #fitToBudget(secondsBefore: number): void {
    const { timeBudgetSeconds } = this.#job.settings;
    if (timeBudgetSeconds === 0 || this.#stepsThisSitting % STEPS_TO_MEASURE !== 0) return;
    const secondsAStep = (this.#position.seconds - secondsBefore) / this.#stepsThisSitting;
    const left = Math.max(0, Math.floor((timeBudgetSeconds - this.#position.seconds) / secondsAStep));
    this.#position = { ...this.#position, totalSteps: Math.min(this.#plannedSteps, this.#position.step + left) };
  }

  async #validate(): Promise<void> {
    const { inference, validation, objective, labels, predictions } = this.#job;
    const { loss, metrics } = await validate(
      withParameters(inference, this.#stepper.parameters()),
      validation,
      this.#validationBatches,
      {
        measure: startMeasure(objective, { dataset: validation, labels, predictions }),
        session: this.#session,
        prepare: (batch, indices) => this.#prepared(validation, indices, -1, batch),
        betweenBatches: () => new Promise((resolve) => setImmediate(resolve)),
      },
    );
    const score = scoreOf(objective, metrics, loss);
    const { best, step } = this.#position;
    const improved = best === undefined || score > best.score;
    if (improved)
      await writeCheckpoint(this.#paths.best, { tensors: this.#stepper.parameters(), position: this.#position });
    this.#position = {
      ...this.#position,
      ...(improved ? { best: { step, score } } : best && { best }),
      validationsWithoutImprovement: improved ? 0 : this.#position.validationsWithoutImprovement + 1,
    };
    await this.#log({ kind: 'validation', step, epoch: this.#position.epoch, loss, ...metrics });
    this.#control.emit({
      type: 'validation',
      step,
      epoch: this.#position.epoch,
      loss,
      metrics,
      headline: headlineOfObjective(objective),
      improved,
    });
  }

  async #save(): Promise<void> {
    await writeCheckpoint(this.#paths.last, { tensors: this.#stepper.tensors(), position: this.#position });
    this.#lastCheckpoint = performance.now();
  }

  async #log(record: Readonly<Record<string, unknown>>): Promise<void> {
    const line = `${JSON.stringify(record)}\n`;
    await appendFile(this.#paths.metrics, line);
    this.#position = { ...this.#position, metricsBytes: this.#position.metricsBytes + Buffer.byteLength(line) };
  }
}
