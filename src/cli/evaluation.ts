import { LatheError } from '../base/index.ts';
import { type PreparedDataset, type SplitName, textOf } from '../data/index.ts';
import {
  type ClassificationReport,
  type ClassifierComparison,
  classificationReport,
  compareClassifiers,
  predictedLabels,
} from '../metrics/index.ts';
import type { Pipeline } from '../pipeline/index.ts';

/** Texts of a split with the index of each one's label. */
export interface LabelledTexts {
  readonly texts: readonly string[];
  readonly truth: Int32Array;
}

/** A model's answers for a split, and what they are worth. */
export interface Evaluated extends LabelledTexts {
  readonly scores: Float64Array;
  readonly predictions: Int32Array;
  readonly report: ClassificationReport;
  readonly examplesPerSecond: number;
}

/** Reads a split. Throws LatheError('invalid-data') for an empty split or a label that the model does not know. */
export async function readLabelled(
  dataset: PreparedDataset,
  split: SplitName,
  labels: readonly string[],
): Promise<LabelledTexts> {
  const { text, label } = dataset.facts.columns;
  if (label === undefined)
    throw new LatheError('invalid-data', 'the data have no label column', { hint: 'Name it with --label.' });
  const rows = await dataset.readSplit(split);
  if (rows.length === 0)
    throw new LatheError('invalid-data', `the ${split} split has no rows`, {
      hint: 'Give it a larger share, or more data.',
    });
  const indexOf = new Map(labels.map((name, index) => [name, index]));
  const truth = Int32Array.from(rows, (row, index) => {
    const name = textOf(row[label]) ?? '';
    const found = indexOf.get(name);
    if (found === undefined) {
      throw new LatheError(
        'invalid-data',
        `row ${index + 1} of ${split}: label ${JSON.stringify(name)} is not one of the model's (${labels.join(', ')})`,
      );
    }
    return found;
  });
  return { texts: rows.map((row) => textOf(row[text]) ?? ''), truth };
}

/** Scores a split and measures the scores. `positive` is the class that a two-class task is about. */
export async function evaluate(
  pipeline: Pipeline,
  data: LabelledTexts,
  options: {
    readonly positive?: string | undefined;
    readonly seed?: number;
    readonly prepared?: boolean;
    readonly signal?: AbortSignal;
    readonly onProgress?: (done: number, total: number) => void;
  } = {},
): Promise<Evaluated> {
  const { positive, seed = 0, prepared = true, signal, onProgress } = options;
  const started = performance.now();
  const scores = await pipeline.scores(data.texts, {
    prepared,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  const seconds = (performance.now() - started) / 1000;
  return {
    ...data,
    scores,
    predictions: predictedLabels(data.truth, scores),
    report: classificationReport(data.truth, scores, pipeline.labels, {
      task: 'text-classification',
      seed,
      ...(positive !== undefined && { positive }),
    }),
    examplesPerSecond: data.texts.length / seconds,
  };
}

/** The paired comparison of two models on the same examples, by the F1 that the task goes by. */
export function compare(
  first: Evaluated,
  second: Evaluated,
  labels: readonly string[],
  positive: string | undefined,
  seed = 0,
): ClassifierComparison {
  return compareClassifiers(first.truth, first.predictions, second.predictions, {
    metric: 'f1',
    average: positive === undefined ? 'macro' : labels.indexOf(positive),
    seed,
  });
}
