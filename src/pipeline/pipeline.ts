import { LatheError } from '../base/index.ts';
import {
  bucketedBatches,
  gatherBatch,
  lengthsOf,
  parseMail,
  type TextStep,
  tensorDataset,
  textCleaner,
} from '../data/index.ts';
import { openSession, type Session, type SessionOptions } from '../runtime/index.ts';
import { type FeatureExtractor, loadFeatures } from './features.ts';
import type { Manifest } from './manifest.ts';
import { openPackage, type Package } from './package.ts';
import type { EncodedExamples, Example, RowOutput, Task, TaskContext } from './tasks/task.ts';
import { type AnswerOf, type ReadingOf, TASKS, type TaskName } from './tasks/tasks.ts';

/** A package ready to predict: its declared steps, features, model and answers, the same wherever it runs. */
export interface Pipeline<Reading = unknown, Answer = unknown> {
  readonly task: Task<Reading, Answer>;
  readonly labels: readonly string[];
  /** Inputs as a user has them (for a mail model: raw mails, or texts). An answer does not depend on its neighbours. */
  predict(inputs: readonly Input[], options?: PredictOptions): Promise<Answer[]>;
  /** What the model says of each row of the inputs, before it is made an answer. */
  read(inputs: readonly Input[], options?: PredictOptions): Promise<Readings<Reading>>;
  /** The same through another task's eyes: for what is measured otherwise than answered. */
  readAs<Other>(task: Task<Other>, inputs: readonly Input[], options?: PredictOptions): Promise<Readings<Other>>;
  /** The answers of readings, one an input. */
  answers(inputs: readonly Input[], readings: Readings<Reading>): Answer[];
  close(): Promise<void>;
}

/** For a model of texts a text; for one of images the path of an image file. */
export type Input = string | Example;

export interface Readings<Reading> {
  readonly rows: readonly Reading[];
  readonly encoded: EncodedExamples;
}

export interface PredictOptions {
  readonly batchSize?: number;
  /** The inputs are texts that went through the declared steps already, as prepared data has. */
  readonly prepared?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface PipelineOptions<Name extends TaskName = TaskName> {
  /** Refuses packages of other tasks, and gives answers their type. */
  readonly task?: Name;
  readonly variant?: string;
  readonly session?: SessionOptions;
}

export interface PipelineParts<Reading = unknown, Answer = unknown> {
  readonly task: Task<Reading, Answer>;
  readonly labels: readonly string[];
  readonly pipeline: Manifest['pipeline'];
  readonly features: FeatureExtractor;
  readonly session: Session;
}

/** Opens the pipeline of a package, or of the folder of one. Throws 'usage' when the package is of another task. */
export async function openPipeline<Name extends TaskName = TaskName>(
  source: Package | string,
  options: PipelineOptions<Name> = {},
): Promise<Pipeline<ReadingOf<Name>, AnswerOf<Name>>> {
  const opened = typeof source === 'string' ? await openPackage(source) : source;
  const { task, labels, pipeline } = opened.manifest;
  if (options.task !== undefined && options.task !== task) {
    throw new LatheError('usage', `package "${opened.folder}" is for ${task}, expected one for ${options.task}`);
  }
  const [features, session] = await Promise.all([
    loadFeatures(pipeline.features, (file) => opened.readText(file)),
    openSession(opened.modelPath(options.variant), options.session),
  ]);
  // The record of the name is of the type that the name stands for, which the compiler cannot follow.
  const record = TASKS[task] as unknown as Task<ReadingOf<Name>, AnswerOf<Name>>;
  return pipelineOver({ task: record, labels, pipeline, features, session });
}

/** The pipeline of parts that are open already: the one way from an input to an answer, in training, evaluation and use. */
export function pipelineOver<Reading, Answer>({
  task,
  labels,
  pipeline,
  features,
  session,
}: PipelineParts<Reading, Answer>): Pipeline<Reading, Answer> {
  const outputNames = [pipeline.output.name, ...task.outputs.slice(1)];
  const settings = task.settings.parse(pipeline.settings ?? {});
  const clean = textCleaner(pipeline.steps as TextStep[]);
  const cleanPair = textCleaner((pipeline.pairSteps ?? []) as TextStep[]);
  const asUsed = async (example: Example): Promise<Example> => {
    if ('image' in example) return example;
    const { text, textPair, ...rest } = example;
    return {
      ...rest,
      text:
        typeof text !== 'string'
          ? text
          : clean(pipeline.input === 'mail' && looksLikeMail(text) ? (await parseMail(text)).text : text),
      ...(textPair !== undefined && { textPair: cleanPair(textPair) }),
    };
  };
  const exampleOf = (input: Input): Example =>
    typeof input !== 'string' ? input : task.columns.image === undefined ? { text: input } : { image: input };
  const contextOf = (encoded: EncodedExamples): TaskContext => ({ labels, encoded, settings });
  const readAs = async <Other>(
    reader: Task<Other>,
    inputs: readonly Input[],
    options: PredictOptions = {},
  ): Promise<Readings<Other>> => {
    const { prepared = false, onProgress } = options;
    const examples = inputs.map(exampleOf);
    const used = prepared ? examples : await Promise.all(examples.map(asUsed));
    const { encodedAtATime = used.length } = reader;
    if (used.length <= encodedAtATime)
      return readEncoded(reader, await reader.encode(features, used, { settings }), options);
    const rows: Other[] = [];
    let truncated = 0;
    for (let start = 0; start < used.length; start += encodedAtATime) {
      const some = used.slice(start, start + encodedAtATime);
      const { onProgress: _, ...rest } = options;
      const part = await readEncoded(reader, await reader.encode(features, some, { settings }), rest);
      rows.push(...part.rows);
      truncated += part.encoded.truncated;
      onProgress?.(rows.length, used.length);
    }
    // The inputs are let go: that is why they were made part by part.
    return { rows, encoded: { dataset: tensorDataset({}), truncated } };
  };
  const readEncoded = async <Other>(
    reader: Task<Other>,
    encoded: EncodedExamples,
    { batchSize = reader.batchSize ?? 32, onProgress, signal }: PredictOptions,
  ): Promise<Readings<Other>> => {
    const { dataset } = encoded;
    const context = contextOf(encoded);
    const rows = new Array<Other>(dataset.size);
    let done = 0;
    const batches = bucketedBatches({ lengths: lengthsOf(dataset), batchSize, seed: 0, epoch: 0, shuffle: false });
    for (const indices of batches) {
      signal?.throwIfAborted();
      const results = await session.run(gatherBatch(dataset, indices), { outputs: outputNames });
      for (const [place, index] of indices.entries()) {
        const outputs = outputNames.map((name): RowOutput => {
          const { data, dims } = results[name]!;
          const size = data.length / indices.length;
          return { data: (data as Float32Array).subarray(place * size, (place + 1) * size), dims: dims.slice(1) };
        });
        rows[index] = reader.read(outputs, index, context);
      }
      done += indices.length;
      onProgress?.(done, dataset.size);
    }
    return { rows, encoded };
  };
  const answers = (inputs: readonly Input[], { rows, encoded }: Readings<Reading>): Answer[] => {
    const context = contextOf(encoded);
    const { exampleOf: owner } = encoded;
    let row = 0;
    return inputs.map((input, index) => {
      const first = row;
      if (owner === undefined) row++;
      else while (owner[row] === index) row++;
      return task.answer(rows.slice(first, row), exampleOf(input), context, first);
    });
  };
  return {
    task,
    labels,
    read: (inputs, options) => readAs(task, inputs, options),
    readAs,
    answers,
    predict: async (inputs, options) => answers(inputs, await readAs(task, inputs, options)),
    close: () => session.close(),
  };
}

/** Header lines, then an empty line: a mail as it is stored, and not a text that someone typed. */
function looksLikeMail(input: string): boolean {
  const head = input.slice(0, 100_000).replace(/\r\n?/g, '\n').split('\n\n', 1)[0]!;
  const headers = head.split('\n').filter((line) => /^(from |[A-Za-z][A-Za-z0-9-]*:)/i.test(line)).length;
  return /^(received|message-id|date|return-path|mime-version|delivered-to):/im.test(head) && headers >= 2;
}
