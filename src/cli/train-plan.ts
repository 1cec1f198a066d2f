import type { Augmentation, PreparedDataset } from '../data/index.ts';
import type { TrainableTask, TrainSettings } from '../train/index.ts';
import type { ArchitectureName } from './candidate.ts';
import type { DistillationPlan } from './distillation.ts';
import type { LoraSettings } from './lora.ts';

/** What a user wants trained: on what, from what, how, and where to. */
export interface TrainPlan {
  readonly task: TrainableTask;
  readonly dataset: PreparedDataset;
  /** How the user named the data. */
  readonly source: string;
  readonly arch: ArchitectureName;
  /** What to begin with, in place of `arch`: a source of the zoo. */
  readonly model?: string | undefined;
  /** The folder of its tokenizer, where that is not beside it. */
  readonly tokenizer?: string | undefined;
  /** Of an ONNX file, the output that the head computes. */
  readonly head?: string | undefined;
  readonly freezeBatchNorm?: boolean;
  /** Only the head is trained, on features that the rest gives once. */
  readonly freezeBackbone?: boolean;
  /** Only adapters and the head are trained. */
  readonly lora?: LoraSettings | undefined;
  /** A trained model to learn from, beside the labels. */
  readonly distillation?: DistillationPlan | undefined;
  readonly settings: Partial<TrainSettings>;
  readonly maxLength: number;
  /** Pixels of a side that a model of images from scratch sees. */
  readonly imageSize?: number | undefined;
  readonly vocabularySize: number;
  readonly lowercase: boolean;
  readonly dropout: number;
  readonly labelSmoothing: number;
  /** `auto` weighs each class by the inverse of its share. */
  readonly classWeights: 'none' | 'auto';
  /** How images are changed at random while the model learns. */
  readonly augmentation?: Augmentation | undefined;
  /** Hides whole words, in masked-language-model training. */
  readonly wholeWords: boolean;
  /** Of the processing behind the model, where they are not the task's defaults. */
  readonly taskSettings?: Readonly<Record<string, unknown>>;
  readonly labelSeparator?: string | undefined;
  readonly positive?: string | undefined;
  /** Trains the linear model beside, on the same texts, and compares. */
  readonly baseline: boolean;
  readonly out: string;
  readonly runFolder: string;
  readonly resume: boolean;
  readonly command: string;
}

/** What all models of a plan are trained and measured for. */
export interface Learning extends TrainPlan {
  readonly taskSettings: Readonly<Record<string, unknown>>;
  readonly labels: readonly string[];
}

/** What the loss and the batches of a model depend on, wherever it comes from. */
export type LearningChoices = Pick<
  Learning,
  'task' | 'taskSettings' | 'labels' | 'positive' | 'labelSmoothing' | 'classWeights' | 'wholeWords' | 'augmentation'
>;
