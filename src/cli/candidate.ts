import { jsonText, LatheError } from '../base/index.ts';
import { fitVectorizer, loadTokenizer, type Tokenizer, trainWordPiece } from '../data/index.ts';
import {
  type Adapter,
  encoderSettings,
  IMAGE_ARCHITECTURE_NAMES,
  IMAGE_ARCHITECTURES,
  type ImageArchitectureName,
  labelFields,
  linearModel,
  modelTypeOf,
  PRESETS,
  type Preset,
  presetConfig,
  withDropout,
} from '../nn/index.ts';
import {
  coveredText,
  type FeatureExtractor,
  ngramFeatures,
  type TaskContext,
  type TextOrPair,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE,
  tokenFeatures,
  VECTORIZER_FILE,
} from '../pipeline/index.ts';
import { type Forms, graphForms, type TrainableTask, type TrainSettings } from '../train/index.ts';
import { type ImageFacts, imageCandidate, imagesOfGraph } from './image-candidate.ts';
import type { ArchitectureStart } from './start/architecture.ts';
import type { GraphStart } from './start/graph.ts';
import type { Start } from './start/start.ts';

/** Architectures that `lathe train --arch` takes. */
export const ARCHITECTURES = ['linear', ...PRESETS, ...IMAGE_ARCHITECTURE_NAMES] as const;
export type ArchitectureName = (typeof ARCHITECTURES)[number];

/** A model that is ready to be trained, with all that its package will need beside the weights. */
export interface Candidate {
  /** The architecture, or what it was made from. */
  readonly name: string;
  readonly forms: Forms;
  readonly features: FeatureExtractor;
  /** Files of the package. */
  readonly files: Readonly<Record<string, string>>;
  /** Settings that suit this architecture where the user says nothing. */
  readonly defaults: Partial<TrainSettings>;
  /** Of transformers: what a linear baseline needs to read the same part of a text. */
  readonly reading?: Reading;
  /** The output that is read, where it is not the one that the task has as its first. */
  readonly output?: string;
  /** Of a start, the parameters of the head. */
  readonly head?: readonly string[];
  /** The only parameters that are trained, where not all are. */
  readonly trainable?: readonly string[];
  /** What stands beside frozen weights, to be merged into those of `forms.model`. */
  readonly adapters?: readonly Adapter[];
  /** Of a start, the parameters that begin anew. */
  readonly initialized?: readonly string[];
}

/** The part of a text that a transformer reads, and the files that say so. */
export interface Reading {
  readonly tokenizer: Tokenizer;
  readonly maxLength: number;
  readonly files: Readonly<Record<string, string>>;
}

/** A tokenizer, and the files that it is made of. */
export type Vocabulary = Pick<Reading, 'tokenizer' | 'files'>;

export interface CandidateOptions {
  readonly task: TrainableTask;
  readonly labels: readonly string[];
  /** What to learn a vocabulary from: the train split alone. */
  readonly texts: readonly TextOrPair[];
  /** Of a task on images: what they have in common. */
  readonly images?: ImageFacts;
  /** Pixels of a side that a model from scratch sees. */
  readonly imageSize?: number | undefined;
  readonly maxLength: number;
  readonly vocabularySize: number;
  readonly lowercase: boolean;
  readonly dropout: number;
  readonly seed: number;
  /** Of the processing behind the model. */
  readonly settings?: TaskContext['settings'];
  /** Begin with this instead of from scratch. */
  readonly start?: Start;
  /** Patterns of parameters that stay as they are. */
  readonly freeze?: readonly string[];
  /** Batch normalization keeps its statistics. */
  readonly freezeBatchNorm?: boolean;
  /** Only the head of a start is trained. */
  readonly freezeBackbone?: boolean;
  /** The training form gives the states of all tokens in its last layer too: see `EncoderOptions`. */
  readonly everyRow?: boolean;
  /** A vocabulary to take in place of one that is learned from the texts. */
  readonly vocabulary?: Vocabulary | undefined;
  /** For the linear model: to read no more of a text than a transformer does. */
  readonly reading?: Reading;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Learns the vocabulary and builds the graphs of an architecture. */
export function makeCandidate(name: ArchitectureName, options: CandidateOptions): Candidate {
  if (options.start !== undefined) return startedCandidate(options.start, options);
  const { images, task } = options;
  if (isForImages(name) !== (images !== undefined)) {
    const fitting = ARCHITECTURES.filter((other) => isForImages(other) === (images !== undefined));
    throw new LatheError(
      'usage',
      `--arch ${name}: it is for ${isForImages(name) ? 'images' : 'texts'}, and ${task.task.name} is not`,
      { hint: `Choose one of ${fitting.join(', ')}.` },
    );
  }
  if (isForImages(name)) return imageCandidate(name, { ...options, images: images!, side: options.imageSize });
  if (options.texts.length === 0) throw new LatheError('invalid-data', 'the train split has no rows');
  return name === 'linear' ? linearCandidate(options) : transformerCandidate(name, options);
}

function isForImages(name: ArchitectureName): name is ImageArchitectureName {
  return Object.hasOwn(IMAGE_ARCHITECTURES, name);
}

/** A model that was trained before, with the head of the task. */
export function startedCandidate(start: Start, options: CandidateOptions): Candidate {
  if (start.kind === 'architecture') return rebuiltCandidate(start, options);
  const { task, labels, freeze, freezeBatchNorm, freezeBackbone, seed } = options;
  const forms = graphForms(start.model, {
    classes: Math.max(1, labels.length),
    rows: task.head === 'token-classification' ? 'tokens' : 'examples',
    keepHead: start.sameLabels,
    mask: 'attention_mask',
    seed,
    ...(start.head !== undefined && { head: start.head }),
    ...(freeze && { freeze }),
    ...(freezeBatchNorm && { freezeBatchNorm }),
  });
  const { reads } = start;
  const reading =
    reads.kind === 'texts'
      ? textsOfGraph(start.source, reads, forms.features, options)
      : imagesOfGraph(start.source, reads, start.model, options);
  return {
    name: start.source,
    forms,
    output: forms.output,
    head: forms.head,
    initialized: forms.initialized,
    ...reading,
    files: { 'config.json': jsonText(start.config), ...reading.files },
    ...(freezeBackbone && headAlone(forms.head, options.task)),
  };
}

function rebuiltCandidate(start: ArchitectureStart, options: CandidateOptions): Candidate {
  const { task, maxLength, dropout, seed, settings, freezeBackbone, everyRow = false } = options;
  const { tokenizer } = start.reader;
  refuseLonger(start.source, start.reader.maxLength, maxLength);
  const files = readingAtMost(start.reader.files, maxLength);
  const config = withDropout(start.config, modelTypeOf(start.config), dropout);
  const { tokenTypes, hidden } = encoderSettings(config, modelTypeOf(config));
  return {
    name: start.source,
    forms: task.transformer(config, { seed, everyRow, weights: start.weights, ...(settings && { settings }) }),
    features: tokenFeatures({ kind: 'tokens', maxLength, tokenTypes: tokenTypes > 1 }, tokenizer),
    files: { 'config.json': jsonText(config), ...files },
    defaults: { ...OF_TRANSFORMERS, learningRate: fineTuningRate(hidden) },
    reading: { tokenizer, maxLength, files },
    head: start.head,
    ...(freezeBackbone && headAlone(start.head, task)),
    initialized: start.initialized,
  };
}

/** What stands before a graph that came from elsewhere. */
type OfGraph = Pick<Candidate, 'features' | 'files' | 'defaults' | 'reading'>;

function textsOfGraph(
  source: string,
  { reader, tokenTypes }: Extract<GraphStart['reads'], { kind: 'texts' }>,
  width: number,
  { maxLength }: CandidateOptions,
): OfGraph {
  refuseLonger(source, reader.maxLength, maxLength);
  const files = readingAtMost(reader.files, maxLength);
  return {
    features: tokenFeatures({ kind: 'tokens', maxLength, tokenTypes }, reader.tokenizer),
    files,
    defaults: { ...OF_TRANSFORMERS, learningRate: fineTuningRate(width) },
    reading: { tokenizer: reader.tokenizer, maxLength, files },
  };
}

function refuseLonger(source: string, most: number, maxLength: number): void {
  if (maxLength <= most) return;
  throw new LatheError('usage', `--max-length: "${source}" reads ${most} tokens, got ${maxLength}`);
}

/** A head on features is small and quickly trained, and takes larger steps than a model that is to be kept. */
function headAlone(head: readonly string[], { task }: TrainableTask): Pick<Candidate, 'trainable' | 'defaults'> {
  if (head.length === 0) {
    throw new LatheError('usage', `--freeze-backbone: a model for ${task.name} has no head to train`, {
      hint: 'Leave it out, or train adapters with --lora.',
    });
  }
  return { trainable: head, defaults: { ...OF_TRANSFORMERS, learningRate: 3e-3, epochs: 30, patience: 5 } };
}

/** What transformers are trained with, from scratch or from a start. */
const OF_TRANSFORMERS: Partial<TrainSettings> = { epochs: 4, batchSize: 32, warmup: 0.1, schedule: 'linear' };

/** Smaller than from scratch, as what is there is to be kept; larger models take smaller steps. */
function fineTuningRate(hidden: number): number {
  return hidden <= 256 ? 3e-4 : hidden <= 512 ? 1e-4 : 5e-5;
}

function transformerCandidate(name: Preset, options: CandidateOptions): Candidate {
  const { task, labels, maxLength, dropout, seed, settings, everyRow = false } = options;
  const { tokenizer, files } = options.vocabulary ?? learnVocabulary(options);
  const config = presetConfig(name, {
    vocabularySize: tokenizer.vocabularySize,
    labels,
    architecture: `Bert${task.config.className}`,
    problemType: task.config.problemType ?? null,
    dropout,
    maximumPositions: Math.max(512, maxLength),
  });
  const tokenizerFiles = readingAtMost(files, maxLength);
  return {
    name,
    forms: task.transformer(config, { seed, everyRow, ...(settings && { settings }) }),
    features: tokenFeatures({ kind: 'tokens', maxLength, tokenTypes: true }, tokenizer),
    files: { 'config.json': jsonText(config), ...tokenizerFiles },
    defaults: { ...OF_TRANSFORMERS, learningRate: LEARNING_RATES[name] },
    reading: { tokenizer, maxLength, files: tokenizerFiles },
  };
}

function learnVocabulary({ texts, vocabularySize, lowercase, maxLength, onProgress }: CandidateOptions): Vocabulary {
  const files = trainWordPiece(texts.flat(), {
    vocabularySize,
    lowercase,
    maxLength: Math.max(512, maxLength),
    onProgress: (progress) => {
      if (progress.step === 'merge') onProgress?.(progress.tokens, progress.target);
    },
  });
  return {
    tokenizer: loadTokenizer(files.tokenizer, files.config),
    files: { [TOKENIZER_FILE]: JSON.stringify(files.tokenizer), [TOKENIZER_CONFIG_FILE]: jsonText(files.config) },
  };
}

/**
 * From scratch. Measured for tiny and mini on the spam corpus (at 1e-3 one of three bert-mini runs learned nothing);
 * larger models take smaller steps.
 */
const LEARNING_RATES: Readonly<Record<Preset, number>> = {
  'bert-tiny': 1e-3,
  'bert-mini': 5e-4,
  'bert-small': 3e-4,
  'bert-medium': 2e-4,
  'bert-base': 1e-4,
};

const LINEAR_FEATURES = 100_000;

/** Logistic regression over TF-IDF of words and pairs of words, as a graph. */
function linearCandidate({ task, labels, texts, reading }: CandidateOptions): Candidate {
  const outputs = task.linearOutputs?.(labels);
  if (outputs === undefined) {
    throw new LatheError('usage', `--arch linear: a linear model over n-grams cannot do ${task.task.name}`, {
      hint: `Choose one of ${PRESETS.join(', ')}.`,
    });
  }
  const joined = texts.map((text) => (typeof text === 'string' ? text : text.join('\n')));
  const read =
    reading === undefined ? joined : joined.map((text) => coveredText(reading.tokenizer, text, reading.maxLength));
  const vectorizer = fitVectorizer(read, {
    ngramRange: [1, 2],
    minDf: 2,
    maxFeatures: LINEAR_FEATURES,
    sublinearTf: true,
  });
  const model = linearModel({ vocabularySize: vectorizer.file.terms.length, labels: outputs });
  return {
    name: 'linear',
    forms: { model, trainingForm: model },
    features:
      reading === undefined
        ? ngramFeatures({ kind: 'n-grams' }, vectorizer)
        : ngramFeatures({ kind: 'n-grams', maxLength: reading.maxLength }, vectorizer, reading.tokenizer),
    files: {
      'config.json': jsonText({
        model_type: 'lathe-linear',
        architectures: ['LatheLinear'],
        ...(task.config.problemType !== undefined && { problem_type: task.config.problemType }),
        ...labelFields(labels, task.config.problemType),
      }),
      [VECTORIZER_FILE]: JSON.stringify(vectorizer.file),
      ...reading?.files,
    },
    defaults: {
      learningRate: 0.03,
      epochs: 20,
      batchSize: 64,
      warmup: 0,
      schedule: 'linear',
      optimizer: { name: 'adamW', weightDecay: 0 },
      patience: 5,
    },
  };
}

/** The files of a tokenizer, for other tools to read as many tokens of a text as the package itself does. */
function readingAtMost(files: Readonly<Record<string, string>>, maxLength: number): Readonly<Record<string, string>> {
  const config = JSON.parse(files[TOKENIZER_CONFIG_FILE]!) as object;
  return { ...files, [TOKENIZER_CONFIG_FILE]: jsonText({ ...config, model_max_length: maxLength }) };
}
