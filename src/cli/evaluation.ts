import type { Model } from '../graph/index.ts';
import type { TaskReport } from '../metrics/index.ts';
import { type Example, type FeatureExtractor, type Manifest, type Pipeline, pipelineOver } from '../pipeline/index.ts';
import { openSession } from '../runtime/index.ts';
import type { Judged, TrainableTask } from '../train/index.ts';
import { rowOf } from './examples.ts';

/** A model's answers for a split, and what they are worth. */
export interface Evaluated extends Judged<unknown> {
  readonly report: TaskReport;
  readonly examplesPerSecond: number;
}

/** Runs a model over examples and measures what it says. `positive` is the class that a two-class task is about. */
export async function evaluate(
  task: TrainableTask,
  pipeline: Pipeline,
  examples: readonly Example[],
  options: {
    readonly positive?: string | undefined;
    readonly seed?: number;
    readonly prepared?: boolean;
    readonly signal?: AbortSignal;
    readonly onProgress?: (done: number, total: number) => void;
    /** Names an example in an error. */
    readonly where?: (example: number) => string;
  } = {},
): Promise<Evaluated> {
  const { positive, seed = 0, prepared = true, signal, onProgress, where = (at) => `example ${at + 1}` } = options;
  const started = performance.now();
  const readings = await pipeline.readAs(task.reader ?? task.task, examples, {
    prepared,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  const seconds = (performance.now() - started) / 1000;
  // Labels that the model does not know are refused with the place of the row.
  task.targets(examples, readings.encoded, pipeline.labels, where);
  const judged: Judged<unknown> = {
    examples,
    readings,
    labels: pipeline.labels,
    positive,
    answers: () => pipeline.answers(examples, readings),
  };
  return { ...judged, report: task.report(judged, { seed }), examplesPerSecond: examples.length / seconds };
}

/** What a model that is in no package yet says of a split of prepared data, the test split where nothing else is said. */
export async function evaluateModel(
  model: Model,
  parts: {
    readonly task: TrainableTask;
    readonly labels: readonly string[];
    readonly positive?: string | undefined;
    readonly features: FeatureExtractor;
    readonly pipeline: Manifest['pipeline'];
  },
  examples: readonly Example[],
  split = 'test',
): Promise<Evaluated> {
  const { task, labels, positive, features, pipeline } = parts;
  const opened = pipelineOver({ task: task.task, labels, pipeline, features, session: await openSession(model) });
  try {
    return await evaluate(task, opened, examples, { positive, where: rowOf(split) });
  } finally {
    await opened.close();
  }
}
