import { LatheError } from '../base/index.ts';
import { bucketedBatches, gatherBatch, lengthsOf, parseMail, type TextStep, textCleaner } from '../data/index.ts';
import { openSession, type Session, type SessionOptions } from '../runtime/index.ts';
import { type FeatureExtractor, loadFeatures } from './features.ts';
import type { Manifest } from './manifest.ts';
import { openPackage, type Package } from './package.ts';

export interface Prediction {
  readonly label: string;
  /** Of that label, 0 to 1. */
  readonly score: number;
  readonly scores: Readonly<Record<string, number>>;
}

/** A package ready to predict: its declared steps, features, model and scores, the same wherever it runs. */
export interface Pipeline {
  readonly labels: readonly string[];
  /** Texts as a user has them (for a mail model: raw mails, or texts). An answer does not depend on its neighbours. */
  predict(inputs: readonly string[], options?: PredictOptions): Promise<Prediction[]>;
  /** Scores alone, row-major [inputs, labels]. */
  scores(inputs: readonly string[], options?: PredictOptions): Promise<Float64Array>;
  close(): Promise<void>;
}

export interface PredictOptions {
  readonly batchSize?: number;
  /** The inputs are texts that went through the declared steps already, as prepared data has. */
  readonly prepared?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface PipelineOptions {
  readonly variant?: string;
  readonly session?: SessionOptions;
}

export interface PipelineParts {
  readonly labels: readonly string[];
  readonly pipeline: Manifest['pipeline'];
  readonly features: FeatureExtractor;
  readonly session: Session;
}

/** Opens the pipeline of a package, or of the folder of one. */
export async function openPipeline(source: Package | string, options: PipelineOptions = {}): Promise<Pipeline> {
  const opened = typeof source === 'string' ? await openPackage(source) : source;
  const { labels, pipeline } = opened.manifest;
  const [features, session] = await Promise.all([
    loadFeatures(pipeline.features, (file) => opened.readText(file)),
    openSession(opened.modelPath(options.variant), options.session),
  ]);
  return pipelineOver({ labels, pipeline, features, session });
}

/** The pipeline of parts that are open already: the one way from an input to scores, in training, evaluation and use. */
export function pipelineOver({ labels, pipeline, features, session }: PipelineParts): Pipeline {
  const clean = textCleaner(pipeline.steps as TextStep[]);
  const textOf = async (input: string): Promise<string> =>
    clean(pipeline.input === 'mail' && looksLikeMail(input) ? (await parseMail(input)).text : input);
  const scores = async (inputs: readonly string[], options: PredictOptions = {}): Promise<Float64Array> => {
    const { batchSize = 32, prepared = false, onProgress, signal } = options;
    const { dataset } = features.extract(prepared ? inputs : await Promise.all(inputs.map(textOf)));
    const out = new Float64Array(inputs.length * labels.length);
    const batches = bucketedBatches({ lengths: lengthsOf(dataset), batchSize, seed: 0, epoch: 0, shuffle: false });
    let done = 0;
    for (const indices of batches) {
      signal?.throwIfAborted();
      const results = await session.run(gatherBatch(dataset, indices), { outputs: [pipeline.output.name] });
      const logits = results[pipeline.output.name]!.data as Float32Array;
      if (logits.length !== indices.length * labels.length) {
        throw new LatheError(
          'invalid-model',
          `output "${pipeline.output.name}" has ${logits.length / indices.length} values a text, the package has ${labels.length} labels`,
        );
      }
      const rows = softmax(logits, labels.length);
      for (let row = 0; row < indices.length; row++) {
        out.set(rows.subarray(row * labels.length, (row + 1) * labels.length), indices[row]! * labels.length);
      }
      done += indices.length;
      onProgress?.(done, inputs.length);
    }
    return out;
  };
  return {
    labels,
    scores,
    async predict(inputs, options) {
      const all = await scores(inputs, options);
      return inputs.map((_, row) => predictionOf(all.subarray(row * labels.length, (row + 1) * labels.length), labels));
    },
    close: () => session.close(),
  };
}

/** Row by row, in float64: [rows, width]. */
export function softmax(logits: ArrayLike<number>, width: number): Float64Array {
  const out = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += width) {
    let highest = -Infinity;
    for (let index = start; index < start + width; index++) highest = Math.max(highest, logits[index]!);
    let sum = 0;
    for (let index = start; index < start + width; index++) {
      out[index] = Math.exp(logits[index]! - highest);
      sum += out[index]!;
    }
    for (let index = start; index < start + width; index++) out[index]! /= sum;
  }
  return out;
}

function predictionOf(scores: Float64Array, labels: readonly string[]): Prediction {
  let best = 0;
  for (let index = 1; index < scores.length; index++) if (scores[index]! > scores[best]!) best = index;
  return {
    label: labels[best]!,
    score: scores[best]!,
    scores: Object.fromEntries(labels.map((label, index) => [label, scores[index]!])),
  };
}

/** Header lines, then an empty line: a mail as it is stored, and not a text that someone typed. */
function looksLikeMail(input: string): boolean {
  const head = input.slice(0, 100_000).replace(/\r\n?/g, '\n').split('\n\n', 1)[0]!;
  const headers = head.split('\n').filter((line) => /^(from |[A-Za-z][A-Za-z0-9-]*:)/i.test(line)).length;
  return /^(received|message-id|date|return-path|mime-version|delivered-to):/im.test(head) && headers >= 2;
}
