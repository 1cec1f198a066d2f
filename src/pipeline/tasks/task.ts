import type { z } from 'zod';
import { LatheError } from '../../base/index.ts';
import {
  type Encoding,
  encodingColumns,
  type TargetKind,
  type TensorDataset,
  type Tokenizer,
  tensorDataset,
  type Value,
} from '../../data/index.ts';
import type { FeatureExtractor } from '../features.ts';
import type { ImageInput } from '../image-features.ts';
import type { FeaturesSpec } from '../manifest.ts';

/** What one row of data, or one thing that a user asks about, is to a task. */
export type Example = TextExample | ImageExample;

export interface TextExample {
  /** A text, or the words of one. */
  readonly text: string | readonly string[];
  /** The second text of a pair. */
  readonly textPair?: string;
  /** The truth, as the column of the label has it. */
  readonly label?: Value;
}

export interface ImageExample {
  readonly image: ImageInput;
  /** The truth, as the column of the label has it. */
  readonly label?: Value;
}

/** Columns of data by what they are to a task: what is to be judged is a text or an image. */
export interface TaskColumns {
  readonly text?: string;
  readonly image?: string;
  readonly textPair?: string | undefined;
  readonly label?: string | undefined;
}

/** Examples as the inputs of a model. */
export interface EncodedExamples {
  readonly dataset: TensorDataset;
  /** Examples that were longer than the model reads. */
  readonly truncated: number;
  /** The example that each row is of, in ascending order, where an example has several rows. */
  readonly exampleOf?: Int32Array;
}

/** The values of one row of a model's output: `dims` is without the batch. */
export interface RowOutput {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

export interface TaskContext {
  readonly labels: readonly string[];
  readonly encoded: EncodedExamples;
  /** What the package says of the processing behind the model, checked by the task's own schema. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * What a model is to do: the half that production needs. The half that learns and measures is a record of the same name
 * in `train/tasks`, which has this one inside.
 */
export interface Task<Reading = unknown, Answer = unknown, Of extends Example = Example> {
  readonly name: string;
  /** The name that Hugging Face has for it. */
  readonly tag: string;
  /** What it is for, in the words of a help page: "classify texts". */
  readonly summary: string;
  /** The usual names of its columns. */
  readonly columns: TaskColumns;
  /** Whether a second text is needed to learn from, but not to be answered. */
  readonly pairs?: 'optional';
  /** What the label column holds; `none` where there is none. */
  readonly target: TargetKind | 'none';
  /** What else it may hold. */
  readonly otherTargets?: readonly TargetKind[];
  /** The outputs that are read; a package may name the first otherwise. */
  readonly outputs: readonly string[];
  /** What makes scores of the first output. */
  readonly scores: 'softmax' | 'sigmoid' | 'none';
  /** Settings of the processing behind the model, with their defaults. */
  readonly settings: z.ZodType<Readonly<Record<string, unknown>>>;
  /** Rows at a time, where the outputs are large. Default 32. */
  readonly batchSize?: number;
  /** Examples that are made inputs at a time, where inputs are large. Default: all of them. */
  readonly encodedAtATime?: number;
  /** The inputs of the model. */
  encode(
    features: FeatureExtractor,
    examples: readonly Of[],
    options: {
      readonly settings: TaskContext['settings'];
      readonly onProgress?: (done: number) => void;
      /** A file for inputs that are too many for memory; the caller removes it. */
      readonly file?: string;
    },
  ): EncodedExamples | Promise<EncodedExamples>;
  /** What the model says of row `index`. */
  read(outputs: readonly RowOutput[], index: number, context: TaskContext): Reading;
  /** The answer to an example, from the readings of its rows, of which the first is row `first`. */
  answer(readings: readonly Reading[], example: Of, context: TaskContext, first: number): Answer;
  /** The JSON of an answer. */
  readonly answerSchema: z.ZodType<Answer>;
  /** An answer on a line of text. */
  line(answer: Answer): string;
}

/** Texts and pairs of texts, for tasks whose model reads them whole. */
export function encodeTexts(
  features: FeatureExtractor,
  examples: readonly TextExample[],
  options: { readonly onProgress?: (done: number) => void },
): EncodedExamples {
  if ('preprocessing' in features) throw new LatheError('unsupported', 'a model of images cannot read texts');
  return features.extract(
    examples.map(({ text, textPair }) => {
      const whole = typeof text === 'string' ? text : text.join(' ');
      return textPair === undefined ? whole : ([whole, textPair] as const);
    }),
    options.onProgress,
  );
}

/** What makes tokens. Throws 'unsupported' for features without tokens. */
export function tokensOf(
  features: FeatureExtractor,
  task: string,
): { readonly tokenizer: Tokenizer; readonly spec: Extract<FeaturesSpec, { kind: 'tokens' }> } {
  const { spec } = features;
  const tokenizer = 'preprocessing' in features ? undefined : features.tokenizer;
  if (spec.kind === 'tokens' && tokenizer !== undefined) return { tokenizer, spec };
  throw new LatheError('unsupported', `${task} needs a model of tokens, got one of ${spec.kind}`);
}

/** Encodings as the inputs of a model, one a row. */
export function datasetOf(encodings: readonly Encoding[], features: FeatureExtractor): TensorDataset {
  const { tokenizer, spec } = tokensOf(features, 'this task');
  return tensorDataset(
    encodingColumns(encodings, { paddingId: tokenizer.paddingId ?? 0, tokenTypes: spec.tokenTypes }),
  );
}
