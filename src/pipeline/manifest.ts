import { z } from 'zod';
import { TARGET_KINDS } from '../data/index.ts';
import { TASK_NAMES } from './tasks/tasks.ts';

/** Steps on a text that stand between what a user gives and what the tokenizer sees: the same in training and in production. */
const textStepSchema = z.looseObject({ step: z.string() });

export const featuresSchema = z.discriminatedUnion('kind', [
  /** tokenizer.json: `input_ids`, `attention_mask` and, where the model takes them, `token_type_ids`. */
  z.strictObject({ kind: z.literal('tokens'), maxLength: z.int().positive(), tokenTypes: z.boolean() }),
  /**
   * vectorizer.json: TF-IDF weights of n-grams, as `feature_ids` and `feature_weights`. With `maxLength`, of the part of
   * a text that so many tokens of tokenizer.json cover: what a transformer beside it reads.
   */
  z.strictObject({ kind: z.literal('n-grams'), maxLength: z.int().positive().optional() }),
  /** preprocessor_config.json: images, as `input` takes them, [batch, channels, height, width]. */
  z.strictObject({
    kind: z.literal('image'),
    input: z.string(),
    channels: z.union([z.literal(1), z.literal(3)]),
  }),
]);
export type FeaturesSpec = z.infer<typeof featuresSchema>;

const valueSchema = z.strictObject({
  name: z.string(),
  dtype: z.string(),
  shape: z.array(z.union([z.number(), z.string(), z.null()])),
});

/** A step that makes a model, and what it was done with. */
const stepSchema = z.strictObject({
  step: z.string(),
  settings: z.record(z.string(), z.unknown()),
  seed: z.int(),
  dataHash: z.string().optional(),
  versions: z.record(z.string(), z.string()),
});
export type StepRecord = z.infer<typeof stepSchema>;

/** How a model came to be: its last step, and the models that this step was given. */
export interface Lineage extends StepRecord {
  readonly dataHash: string;
  readonly createdAt: string;
  /** By what they were to it: `source`, `teacher`. */
  readonly from?: Readonly<Record<string, Origin>> | undefined;
}

/** A model that another was made from. */
export interface Origin {
  readonly sha256: string;
  readonly lineage: Lineage;
}

const lineageSchema: z.ZodType<Lineage> = z.strictObject({
  ...stepSchema.shape,
  dataHash: z.string(),
  createdAt: z.string(),
  from: z.record(z.string(), z.strictObject({ sha256: z.string(), lineage: z.lazy(() => lineageSchema) })).optional(),
});

export const manifestSchema = z.strictObject({
  format: z.literal('lathe-package'),
  version: z.literal(1),
  task: z.enum(TASK_NAMES),
  /** The class of each output, in order; none where outputs are no classes. */
  labels: z.array(z.string()),
  /** The class that a two-class task is about. */
  positive: z.string().optional(),
  pipeline: z.strictObject({
    /** What one input is: plain text, a mail whose From, Subject and body become the text, or an image file. */
    input: z.enum(['text', 'mail', 'image']),
    steps: z.array(textStepSchema),
    /** The same for the second text of a pair. */
    pairSteps: z.array(textStepSchema).optional(),
    features: featuresSchema,
    /** The (first) output that is read, and what makes scores of it. */
    output: z.strictObject({ name: z.string(), scores: z.enum(['softmax', 'sigmoid', 'none']) }),
    /** Settings of the task's own processing behind the model: a threshold, the longest answer. */
    settings: z.record(z.string(), z.unknown()).optional(),
  }),
  signature: z.strictObject({ inputs: z.array(valueSchema), outputs: z.array(valueSchema) }),
  /** By name; `fp32` is the one that was trained. */
  variants: z.record(
    z.string(),
    z.strictObject({
      file: z.string(),
      bytes: z.int(),
      parameters: z.int(),
      /** Whether an answer is the same beside other inputs as alone, as measured. */
      batchInvariant: z.boolean().optional(),
      /** How it was made from `fp32`. */
      step: stepSchema.optional(),
    }),
  ),
  /** The columns that the model was trained on: defaults for evaluation. */
  columns: z.strictObject({
    text: z.string().optional(),
    image: z.string().optional(),
    textPair: z.string().optional(),
    label: z.string().optional(),
    /** What the label column holds, where the task has several forms of it. */
    target: z.enum(TARGET_KINDS).optional(),
    /** What divides the names in a cell of the label column. */
    labelSeparator: z.string().optional(),
  }),
  /** What was measured, on what. */
  metrics: z.array(
    z.strictObject({
      split: z.string(),
      /** Default `fp32`. */
      variant: z.string().optional(),
      dataHash: z.string(),
      examples: z.int(),
      values: z.record(z.string(), z.number()),
    }),
  ),
  /** How the package came to be. */
  lineage: lineageSchema,
  /** Every file but this one. */
  files: z.record(z.string(), z.strictObject({ bytes: z.int(), sha256: z.string() })),
});

/** `lathe.json`: what the model is for, what stands before and behind it, and how it came to be. */
export type Manifest = z.infer<typeof manifestSchema>;

export const MANIFEST_FILE = 'lathe.json';
