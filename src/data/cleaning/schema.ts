import { z } from 'zod';

const column = z.string().min(1);
/** The column that a step works on; left out, the text column. */
const onColumn = { column: column.optional() };

const similarity = {
  /** Jaccard similarity of the word shingles from which on texts count as nearly the same. */
  threshold: z.number().gt(0).max(1).default(0.8),
  shingleWords: z.int().min(1).max(10).default(3),
};

/** One step of cleaning, as recipes declare it. Steps run in the order of their list. */
export const cleaningStepSchema = z.discriminatedUnion('step', [
  /** Canonical Unicode form; also removes a byte order mark, NUL and other control characters but tab and line breaks. */
  z.strictObject({ step: z.literal('normalize-unicode'), form: z.enum(['NFC', 'NFKC']).default('NFC'), ...onColumn }),
  /** Runs of white space become one space, or, with `lines`, one space within lines and at most one empty line. */
  z.strictObject({ step: z.literal('collapse-whitespace'), lines: z.boolean().default(false), ...onColumn }),
  /** HTML becomes the text that a reader sees. */
  z.strictObject({ step: z.literal('strip-html'), ...onColumn }),
  z.strictObject({ step: z.literal('lower-case'), ...onColumn }),
  /** Every match of a regular expression (flags `gu`) is replaced; `$1` and its like work. */
  z.strictObject({ step: z.literal('replace'), pattern: z.string().min(1), with: z.string().default(''), ...onColumn }),
  /** Keeps the first `characters` (UTF-16 code units, never half of a pair). */
  z.strictObject({ step: z.literal('truncate'), characters: z.int().min(1), ...onColumn }),
  z.strictObject({ step: z.literal('drop-empty'), ...onColumn }),
  z.strictObject({
    step: z.literal('drop-short'),
    min: z.int().min(1),
    unit: z.enum(['characters', 'words']).default('characters'),
    ...onColumn,
  }),
  z.strictObject({
    step: z.literal('drop-long'),
    max: z.int().min(1),
    unit: z.enum(['characters', 'words']).default('characters'),
    ...onColumn,
  }),
  /** New names for labels, by name or by a pattern with `*`; the first that fits wins. Left out, the label column. */
  z.strictObject({
    step: z.literal('map-labels'),
    map: z.record(z.string(), z.string()),
    /** What happens to a label that the map does not have. */
    others: z.enum(['keep', 'drop', 'fail']).default('keep'),
    ...onColumn,
  }),
  z.strictObject({ step: z.literal('rename'), from: column, to: column }),
  z.strictObject({ step: z.literal('keep-columns'), columns: z.array(column).min(1) }),
  /** Keeps the rows for which a DuckDB expression over the columns is true: `stars >= 4 and length(text) < 9000`. */
  z.strictObject({ step: z.literal('filter'), sql: z.string().min(1) }),
  /** Of rows with the same text (case, white space and Unicode form aside) the first stays. Empty cells are no text. */
  z.strictObject({
    step: z.literal('drop-exact-duplicates'),
    /** What happens to equal texts whose labels differ: all of them go, or the first stays. */
    conflicts: z.enum(['drop-all', 'keep-first']).default('drop-all'),
    ...onColumn,
  }),
  /** Of rows with the same label and nearly the same text the first stays; with different labels both, in one split. */
  z.strictObject({ step: z.literal('drop-near-duplicates'), ...similarity, ...onColumn }),
  /** Rows with nearly the same text stay, and stay together in one split. */
  z.strictObject({ step: z.literal('group-near-duplicates'), ...similarity, ...onColumn }),
]);

export const cleaningSchema = z.array(cleaningStepSchema);

export type CleaningStep = z.infer<typeof cleaningStepSchema>;
export type CleaningStepInput = z.input<typeof cleaningStepSchema>;
export type CleaningStepName = CleaningStep['step'];

/** What is done when nothing else is asked for. */
export const DEFAULT_CLEANING: readonly CleaningStepInput[] = [
  { step: 'normalize-unicode' },
  { step: 'drop-exact-duplicates' },
  { step: 'drop-near-duplicates' },
];

/** The same for images. Near-duplicates stay, and stay in one split. */
export const DEFAULT_IMAGE_CLEANING: readonly CleaningStepInput[] = [{ step: 'drop-exact-duplicates' }];
