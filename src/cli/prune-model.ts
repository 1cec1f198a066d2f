import { join } from 'node:path';
import { deriveSeed, LatheError, random, sizeOf, type Tensor } from '../base/index.ts';
import {
  type ChooseOptions,
  cutTo,
  type Dependencies,
  dependenciesOf,
  type Importance,
  type ImportanceData,
  importanceOf,
  needsData,
  type Reached,
  type Scores,
  softTargets,
  teacherOutputs,
  timeInTurns,
  withoutBranches,
  withoutConstantUnits,
} from '../compress/index.ts';
import { gatherBatch, lengthsOf, type TensorDataset } from '../data/index.ts';
import { graphCosts, type Model } from '../graph/index.ts';
import { attachLoss, distillation } from '../nn/index.ts';
import { type Example, pipelineOver, type TaskName } from '../pipeline/index.ts';
import { openSession } from '../runtime/index.ts';
import { prepareModel, type TrainSettings } from '../train/index.ts';
import { rowOf } from './examples.ts';
import { learnAgain, type PackageLearning } from './package-learning.ts';
import type { Terminal } from './terminal.ts';
import type { Teaching } from './train-candidate.ts';

/** What a model costs beside the source. `rounds`: how often what has to be measured is. */
type CostOf = (model: Model, rounds?: number) => number | Promise<number>;

/** What may be asked for as a share of the source's. */
export const PRUNE_TARGETS = {
  latency: (source: Model, inputs: Inputs): CostOf => {
    return async (model, rounds = 11) => (await timeInTurns([source, model], inputs, { rounds }))[1]!.ofFirst;
  },
  macs: (source: Model, inputs: Inputs): CostOf => {
    const macsOf = (model: Model): number =>
      inputs.reduce((sum, feeds) => sum + graphCosts(model, sizesOf(source, feeds)).macs, 0);
    const all = macsOf(source);
    return (model) => macsOf(model) / all;
  },
  parameters: (source: Model): CostOf => {
    const all = parametersOf(source);
    return (model) => parametersOf(model) / all;
  },
} as const;

export interface PruneTarget {
  readonly kind: keyof typeof PRUNE_TARGETS;
  readonly share: number;
}

export interface PruneSettings extends ChooseOptions {
  readonly target: PruneTarget;
  readonly importance: Importance;
  readonly steps: number;
  readonly epochs: number;
  readonly stepEpochs: number;
  readonly samples: number;
  /** Whether units that give the same for all samples go first. */
  readonly constants: boolean;
  /** Residual branches that go as a whole before anything else is cut. */
  readonly branches: number;
  /** How much of what is learned again is what the source says, and not the labels: 0 to 1. */
  readonly alpha: number;
  readonly learningRate?: number | undefined;
  readonly batchSize?: number | undefined;
  /** Seconds of learning after each cut. */
  readonly timeBudget?: number | undefined;
  readonly seed: number;
  readonly threads: number;
  readonly runFolder: string;
}

export interface PruneStep {
  readonly units: number;
  readonly parameters: number;
  /** What the target asks for, beside the source's. */
  readonly share: number;
}

export interface PrunedModel {
  readonly model: Model;
  readonly steps: readonly PruneStep[];
  /** Branches that went as a whole. */
  readonly removed: readonly string[];
  /** Units that went because they gave the same for all samples. */
  readonly constants: number;
  /** Of what the target asks for, the share that is left. */
  readonly reached: number;
  /** Of a few examples one at a time, in turns, on one thread. */
  readonly milliseconds: number;
  readonly sourceMs: number;
  /** Of the source's time, measured in turns. */
  readonly timeShare: number;
  readonly unknownOperators: ReadonlyMap<string, number>;
  readonly learningSettings: Partial<TrainSettings>;
}

type Inputs = readonly Readonly<Record<string, Tensor>>[];

/** What is found by a quick look at many forms of a model is looked at closely, and cut further where it falls short. */
const CLOSE_LOOK = 61;
const CORRECTIONS = 5;
/** Gradients of few examples at a time: of many, those of one example hide those of another. */
const EXAMPLES_A_BATCH = 8;
const TIMED_EXAMPLES = 8;

/**
 * Cuts and learns again, `steps` times, until what is left costs the target's share of the source. Throws 'unsupported'
 * where so much cannot be cut, with what could.
 */
export async function pruneModel(
  source: Model,
  learning: PackageLearning,
  settings: PruneSettings,
  terminal: Terminal,
): Promise<PrunedModel> {
  const { target, steps } = settings;
  const inputs = await timedInputs(learning);
  const costOf = PRUNE_TARGETS[target.kind](source, inputs);
  const learningSettings = learningSettingsOf(learning, settings);
  const learns = settings.epochs > 0 || (steps > 1 && settings.stepEpochs > 0);
  const teaching =
    learns && settings.alpha > 0 ? await teachingBy(source, learning, settings.alpha, terminal) : undefined;
  const done: PruneStep[] = [];
  // What is to be trained again has to be in an operator set that gradients are written in.
  let model = prepareModel(source);
  let removed: readonly string[] = [];
  if (settings.branches > 0) {
    const progress = terminal.progress('looking for branches that are not missed');
    const data = await importanceData(learning, settings, (branches) => progress.update(branches, undefined));
    const without = await withoutBranches(model, settings.branches, data);
    ({ model } = without);
    removed = without.removed.map(({ name }) => name);
    progress.done(`removed ${removed.join(', ')}`);
  }
  let constants = 0;
  if (settings.constants && readAsTheyStand(learning)) {
    const progress = terminal.progress('looking for units that never change');
    const without = await withoutConstantUnits(model, await importanceData(learning, settings, () => {}));
    ({ model, units: constants } = without);
    progress.done(`${constants} units never change (${without.zeros} of them are always zero): removed`);
  }
  let unknownOperators: ReadonlyMap<string, number> = new Map();
  for (let step = 1; step <= steps; step++) {
    // Each round takes the same share of what is left.
    const share = target.share ** (step / steps);
    const dependencies = dependenciesOf(model);
    ({ unknownOperators } = dependencies);
    if (dependencies.groups.length === 0) throw nothingToCut(dependencies.pinned);
    const progress = terminal.progress(`round ${step} of ${steps}: what matters`);
    const data = needsData(settings.importance)
      ? await importanceData(learning, settings, (batches, all) => progress.update(batches, all))
      : undefined;
    const scores = await importanceOf(dependencies, settings.importance, data);
    progress.done();
    const cutting = terminal.progress(`round ${step} of ${steps}: cutting`);
    const reached = await cutClosely(dependencies, scores, share, costOf, settings);
    if (reached.cost > share && step === steps) throw notEnough(target, reached.cost, settings);
    cutting.done(
      `round ${step} of ${steps}: ${reached.units} units cut, ${target.kind} ${reached.cost.toFixed(3)} of the source's`,
    );
    const epochs = step === steps ? settings.epochs : settings.stepEpochs;
    model =
      epochs === 0
        ? reached.model
        : (
            await learnAgain(
              reached.model,
              learning,
              {
                name: `round ${step}`,
                runFolder: join(settings.runFolder, `round-${step}`),
                settings: { ...learningSettings, epochs },
                ...(teaching && { teaching }),
              },
              terminal,
            )
          ).model;
    done.push({ units: reached.units, parameters: parametersOf(model), share: reached.cost });
  }
  // Learning changes no shape, and so no time: what was measured before it holds.
  const [before, after] = await timeInTurns([source, model], inputs, { rounds: CLOSE_LOOK });
  return {
    model,
    steps: done,
    removed,
    constants,
    reached: done.at(-1)!.share,
    milliseconds: after!.milliseconds / inputs.length,
    sourceMs: before!.milliseconds / inputs.length,
    timeShare: after!.ofFirst,
    unknownOperators,
    learningSettings,
  };
}

/** What the source says of each example, where its task has a loss for that. */
async function teachingBy(
  source: Model,
  learning: PackageLearning,
  alpha: number,
  terminal: Terminal,
): Promise<Teaching | undefined> {
  const { task, labels, pipeline, features, splits } = learning;
  const name = task.task.name as TaskName;
  if (!canTeach(name)) {
    terminal.say(`${name}: learns again from the labels alone`);
    return undefined;
  }
  const teacher = softTargets(name);
  const progress = terminal.progress('asking the source');
  const opened = pipelineOver({ task: task.task, labels, pipeline, features, session: await openSession(source) });
  try {
    const column = await teacherOutputs(opened, splits.train, {
      prepared: true,
      signal: terminal.signal,
      onProgress: (done, all) => progress.update(done, all),
    });
    return { columns: { teacher: column }, loss: (own) => distillation(own, { teacher, alpha }) };
  } finally {
    progress.done();
    await opened.close();
  }
}

function canTeach(task: TaskName): boolean {
  try {
    softTargets(task);
    return task !== 'token-classification';
  } catch (error) {
    if (error instanceof LatheError && error.code === 'unsupported') return false;
    throw error;
  }
}

/** As `cutTo`, with what was found measured again at length, and more cut until that holds as well. */
async function cutClosely(
  dependencies: Dependencies,
  scores: Scores,
  share: number,
  costOf: CostOf,
  options: ChooseOptions,
): Promise<Reached> {
  let aim = share;
  for (let correction = 0; ; correction++) {
    const found = await cutTo(dependencies, scores, aim, costOf, options);
    const cost = await costOf(found.model, CLOSE_LOOK);
    if (cost <= share || found.cost > aim || correction === CORRECTIONS) return { ...found, cost };
    aim *= 0.98 * (share / cost);
  }
}

function notEnough(
  { kind, share }: PruneTarget,
  least: number,
  { widths = false, least: kept }: PruneSettings,
): LatheError {
  return new LatheError(
    'unsupported',
    `${kind} could not be brought to ${share} of the source's: cutting brought it to ${least.toFixed(3)}, and nothing was written`,
    {
      hint: `Ask for less, or let more be cut: --least below ${kept ?? 0.1}${widths ? '' : ', or --widths'}.`,
    },
  );
}

function learningSettingsOf(
  { package: { manifest } }: PackageLearning,
  settings: PruneSettings,
): Partial<TrainSettings> {
  const trained = manifest.lineage.settings.learningRate;
  const learningRate = settings.learningRate ?? (typeof trained === 'number' ? trained : undefined);
  const { batchSize, seed, threads, timeBudget } = settings;
  return {
    seed,
    threads,
    ...(learningRate !== undefined && { learningRate }),
    ...(batchSize !== undefined && { batchSize }),
    ...(timeBudget !== undefined && { timeBudgetSeconds: timeBudget }),
  };
}

function nothingToCut(pinned: readonly { readonly tensor: string; readonly why: readonly string[] }[]): LatheError {
  const example = pinned[0];
  return new LatheError('unsupported', 'nothing of this model can be cut', {
    ...(example && { hint: `Of "${example.tensor}", for example: ${example.why.join('; ')}.` }),
  });
}

/** What inputs of a model say of the dimensions that it leaves open. */
function sizesOf({ graph }: Model, feeds: Readonly<Record<string, Tensor>>): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const { name, type } of graph.inputs) {
    if (type?.kind !== 'tensor') continue;
    for (const [axis, dim] of (type.shape ?? []).entries()) {
      const size = feeds[name]?.dims[axis];
      if (typeof dim !== 'number' && size !== undefined) sizes[dim ?? `${name}[${axis}]`] = size;
    }
  }
  return sizes;
}

function parametersOf({ graph }: Model): number {
  let count = 0;
  for (const { dims, dtype } of graph.initializers.values()) if (dtype !== 'int64') count += sizeOf(dims);
  return count;
}

/** Examples as inputs of the model, with what the loss compares them with. */
async function encoded(
  { task, features, taskSettings, labels }: PackageLearning,
  examples: readonly Example[],
  split: string,
): Promise<TensorDataset> {
  const made = await (task.encode ?? task.task.encode)(features, examples, { settings: taskSettings });
  const targets = task.targets(examples, made, labels, rowOf(split));
  return { ...made.dataset, columns: { ...made.dataset.columns, ...targets } };
}

/** Whether examples are inputs as they stand: some tasks make other inputs of them in each epoch. */
function readAsTheyStand(learning: PackageLearning): boolean {
  return (learning.task.batchSteps?.(learning.features, learning) ?? []).length === 0;
}

async function importanceData(
  learning: PackageLearning,
  { samples, seed, threads, importance }: PruneSettings,
  onProgress: (done: number, all: number) => void,
): Promise<ImportanceData> {
  const { task, labels, labelSmoothing, classWeights, splits } = learning;
  if (!readAsTheyStand(learning)) {
    throw new LatheError('unsupported', `importance "${importance}" cannot be seen for ${task.task.name}`, {
      hint: '--importance magnitude needs no data.',
    });
  }
  const order = random(deriveSeed(seed, 'samples'))
    .shuffle([...splits.train.keys()])
    .slice(0, samples);
  const examples = order.map((index) => splits.train[index]!);
  const dataset = await encoded(learning, examples, 'train');
  // Rows of like length in a batch.
  const lengths = lengthsOf(dataset);
  const rows = Array.from({ length: dataset.size }, (_, row) => row).sort(
    (a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b,
  );
  const batches = Array.from({ length: Math.ceil(rows.length / EXAMPLES_A_BATCH) }, (_, batch) =>
    rows.slice(batch * EXAMPLES_A_BATCH, (batch + 1) * EXAMPLES_A_BATCH),
  );
  const loss = task.loss({ examples: splits.train, labels, labelSmoothing, classWeights });
  return {
    withLoss: (model) =>
      attachLoss(model, loss, { predictions: task.predictions ?? learning.pipeline.output.name, labels: 'labels' }),
    batches: {
      *[Symbol.iterator]() {
        for (const batch of batches) yield gatherBatch(dataset, batch);
      },
    },
    ...(threads > 0 && { threads }),
    onProgress: (done) => onProgress(done, batches.length),
  };
}

/** Examples of the validation split, one at a time, from the shortest to the longest. */
async function timedInputs(learning: PackageLearning): Promise<Inputs> {
  const dataset = await encoded(learning, learning.splits.validation.slice(0, 200), 'validation');
  const lengths = lengthsOf(dataset);
  const rows = Array.from({ length: dataset.size }, (_, row) => row).sort(
    (a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b,
  );
  const count = Math.min(TIMED_EXAMPLES, rows.length);
  const inputs = new Set(learning.package.manifest.signature.inputs.map(({ name }) => name));
  return Array.from({ length: count }, (_, at) => {
    const row = rows[Math.floor(((at + 0.5) / count) * rows.length)]!;
    const batch = gatherBatch(dataset, [row]);
    return Object.fromEntries(Object.entries(batch).filter(([name]) => inputs.has(name)));
  });
}
