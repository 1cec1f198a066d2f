import type { Augmentation, BatchStep, Column } from '../../data/index.ts';
import type { Model } from '../../graph/index.ts';
import type { TaskReport } from '../../metrics/index.ts';
import type { EncoderOptions, HuggingFaceConfig, Loss } from '../../nn/index.ts';
import {
  type EncodedExamples,
  type Example,
  type FeatureExtractor,
  fileOfImage,
  type Readings,
  type Task,
  type TaskContext,
} from '../../pipeline/index.ts';
import type { Objective } from '../objectives/objectives.ts';
import type { BaselineComparison, Evaluation, WorstMistake } from '../report/index.ts';
import type { TrainSettings } from '../settings.ts';

/** A task as training and evaluation need it: what production needs is inside, as `task`. */
export interface TrainableTask<Reading = unknown, Answer = unknown> {
  readonly task: Task<unknown, Answer>;
  /** What evaluation reads, where it is not what production answers from. Default: `task`. */
  readonly reader?: Task<Reading>;
  /** What stands behind a transformer's encoder. */
  readonly head: NonNullable<EncoderOptions['head']>;
  /** What stands in the `config.json` of a transformer: the class behind the architecture's name, and the problem. */
  readonly config: { readonly className: string; readonly problemType?: string };
  /** Settings of the processing behind the model that suit the examples. */
  settings?(examples: readonly Example[]): Readonly<Record<string, unknown>>;
  /** The output that the loss and the objective read. Default: the first that production reads. */
  readonly predictions?: string;
  /** Settings that suit the task where the user says nothing. */
  readonly defaults?: Partial<TrainSettings>;
  /** The graphs of a transformer for this task. */
  transformer(
    config: HuggingFaceConfig,
    options: Pick<EncoderOptions, 'seed' | 'weights' | 'everyRow'> & { readonly settings?: TaskContext['settings'] },
  ): Forms;
  /** Further files of a package, of the trained model and the task's settings. */
  files?(model: Model, settings: TaskContext['settings']): Readonly<Record<string, string>>;
  /** Outputs of a linear model over n-grams, where one can do the task. */
  linearOutputs?(labels: readonly string[]): number;
  /** Refuses examples that nothing can be learned from. */
  check?(examples: readonly Example[], labels: readonly string[]): void;
  /** Of two labels the one that the task is about. */
  positive?(examples: readonly Example[], labels: readonly string[]): string | undefined;
  /** Rows to learn from, where they are not those that production makes of examples. */
  encode?: Task['encode'];
  /** What is done to each batch before it is run. */
  batchSteps?(features: FeatureExtractor, choices: BatchChoices): readonly BatchStep[];
  /** Columns with the truth for each row of the encoded examples. `where` names an example in an error. */
  targets(
    examples: readonly Example[],
    encoded: EncodedExamples,
    labels: readonly string[],
    where: (example: number) => string,
  ): Readonly<Record<string, Column>>;
  loss(choices: LossChoices): Loss;
  objective(labels: readonly string[], positive: string | undefined): Objective;
  /** What readings are worth. */
  report(judged: Judged<Reading>, options?: { readonly seed?: number }): TaskReport;
  /** The paired comparison of two models on the same examples, in the metric that the task goes by. */
  compare?(first: Judged<Reading>, second: Judged<Reading>, seed: number): BaselineComparison;
  /** What a report page shows beside the numbers. */
  details?(judged: Judged<Reading>): Details;
}

/** What the user chose of what is done to batches. */
export interface BatchChoices {
  readonly labels: readonly string[];
  readonly wholeWords: boolean;
  /** How images are changed at random. */
  readonly augmentation?: Augmentation | undefined;
}

export interface Forms {
  /** What a package keeps: the form that predicts. */
  readonly model: Model;
  /** With dropout; the same parameters. */
  readonly trainingForm: Model;
  /** What validation runs, where it is not `model`. */
  readonly validationForm?: Model;
}

/** What the user chose of the loss, and what it is chosen for. */
export interface LossChoices {
  readonly examples: readonly Example[];
  readonly labels: readonly string[];
  readonly labelSmoothing: number;
  /** `auto` weighs each class by the inverse of its share. */
  readonly classWeights: 'none' | 'auto';
  /** How images, and with them their labels, are changed at random. */
  readonly augmentation?: Augmentation | undefined;
}

/** Examples with what a model says of them. */
export interface Judged<Reading> {
  readonly examples: readonly Example[];
  readonly readings: Readings<Reading>;
  readonly labels: readonly string[];
  readonly positive?: string | undefined;
  /** What production answers, where it answers from the same readings. */
  readonly answers?: () => readonly unknown[];
}

export interface Details extends Pick<Evaluation, 'curves' | 'scores'> {
  readonly mistakes?: readonly WorstMistake[];
}

/** An example in words, for people: its text, or the file of its image. */
export function textOfExample(example: Example): string {
  if ('image' in example) return fileOfImage(example.image) ?? 'an image';
  const { text, textPair } = example;
  const whole = typeof text === 'string' ? text : text.join(' ');
  return textPair === undefined ? whole : `${whole} ⁄ ${textPair}`;
}
