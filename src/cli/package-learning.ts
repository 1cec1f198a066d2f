import { LatheError } from '../base/index.ts';
import type { PreparedDataset } from '../data/index.ts';
import type { Model } from '../graph/index.ts';
import { type Example, type FeatureExtractor, loadFeatures, type Manifest, type Package } from '../pipeline/index.ts';
import { formsOf, TRAINABLE_TASKS, type TrainSettings } from '../train/index.ts';
import { readExamples } from './examples.ts';
import { openTaskData, type TaskDataOptions } from './task-data.ts';
import type { Terminal } from './terminal.ts';
import { type Splits, type Teaching, type TrainedCandidate, trainCandidate } from './train-candidate.ts';
import type { LearningChoices } from './train-plan.ts';

/** What a model that takes the place of a package's learns from, and is measured on: by the package's own processing. */
export interface PackageLearning extends LearningChoices {
  readonly package: Package;
  readonly splits: Splits;
  readonly features: FeatureExtractor;
  readonly pipeline: Manifest['pipeline'];
  readonly dataHash: string;
}

/**
 * Opens data for a package as it was trained: its columns, its labels, and, of a file, the same rows in each split. Throws
 * 'usage' for data with labels that the package does not know.
 */
export async function openPackageData(
  source: Package,
  data: string,
  given: TaskDataOptions,
  terminal: Terminal,
): Promise<PreparedDataset> {
  const { task: name, labels, columns, lineage } = source.manifest;
  const { task } = TRAINABLE_TASKS[name];
  const progress = terminal.progress(`reading ${data}`);
  const named = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const dataset = await openTaskData(
    data,
    task,
    { ...columns, ...named },
    { seed: lineage.seed, signal: terminal.signal },
  );
  const unknown = task.target === 'none' ? [] : dataset.facts.labels.filter((label) => !labels.includes(label));
  if (unknown.length > 0) {
    throw new LatheError(
      'usage',
      `"${data}" has the labels ${unknown.join(', ')}, which "${source.folder}" does not know`,
      {
        hint: `It knows ${labels.join(', ')}. Name the data that it was trained on.`,
      },
    );
  }
  progress.done();
  return dataset;
}

/** Opens what a package learned from, by `openPackageData`. Throws 'invalid-data' for a split without rows. */
export async function openPackageLearning(
  source: Package,
  data: string,
  given: TaskDataOptions,
  terminal: Terminal,
): Promise<PackageLearning> {
  const { task: name, labels, positive, pipeline } = source.manifest;
  const task = TRAINABLE_TASKS[name];
  const dataset = await openPackageData(source, data, given, terminal);
  const labelled = task.task.target !== 'none';
  const read = (split: keyof Splits): Promise<readonly Example[]> => readExamples(dataset, split, { labelled });
  const splits = { train: await read('train'), validation: await read('validation'), test: await read('test') };
  return {
    package: source,
    task,
    labels,
    positive,
    taskSettings: task.task.settings.parse(pipeline.settings ?? {}),
    splits,
    features: await loadFeatures(pipeline.features, (file) => source.readText(file)),
    pipeline,
    dataHash: dataset.facts.contentHash,
    labelSmoothing: 0,
    classWeights: 'none',
    wholeWords: false,
  };
}

/** Trains a changed model of a package, of the same inputs and outputs, from where it stands. */
export async function learnAgain(
  model: Model,
  learning: PackageLearning,
  run: {
    /** What people see it called. */
    readonly name: string;
    readonly runFolder: string;
    readonly settings: Partial<TrainSettings>;
    readonly resume?: boolean;
    readonly teaching?: Teaching;
  },
  terminal: Terminal,
): Promise<TrainedCandidate> {
  const { freeze } = run.settings;
  const candidate = {
    name: run.name,
    forms: formsOf(model, { ...(freeze && { freeze }) }),
    features: learning.features,
    files: {},
    defaults: {},
    output: learning.pipeline.output.name,
  };
  return trainCandidate(candidate, learning.splits, learning, { resume: false, ...run }, terminal);
}
