import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { deriveSeed, LatheError } from '../base/index.ts';
import {
  answersOf,
  augmentTexts,
  INNER_METHODS,
  type InnerMethod,
  innerDistance,
  nearestWords,
  softTargets,
  teacherOutputs,
  withDistance,
  withoutDropout,
} from '../compress/index.ts';
import { type Column, datasetFromFile, sourceOf, type TextStep, textCleaner } from '../data/index.ts';
import type { Model } from '../graph/index.ts';
import { ARCHITECTURES, classRelations, distillation, fromConfig, type Loss, modelTypeOf } from '../nn/index.ts';
import {
  type Example,
  type Manifest,
  openPipeline,
  type Package,
  PREPROCESSOR_FILE,
  type TextExample,
  TOKENIZER_FILE,
} from '../pipeline/index.ts';
import { DEFAULT_SETTINGS, prepareModel, withParameters } from '../train/index.ts';
import type { Candidate, Vocabulary } from './candidate.ts';
import { readExamples } from './examples.ts';
import { openStart } from './start/start.ts';
import type { Terminal } from './terminal.ts';
import { bestTensors, type Splits, type Teaching, trainCandidate } from './train-candidate.ts';
import type { Learning } from './train-plan.ts';

export const DISTILLATION_METHODS = ['logits', 'dist', ...INNER_METHODS] as const;
export type DistillationMethod = (typeof DISTILLATION_METHODS)[number];

/** What a student is to learn from a teacher, and how. */
export interface DistillationPlan {
  readonly teacher: Package;
  /** How the user named it. */
  readonly source: string;
  readonly method: DistillationMethod;
  readonly temperature: number;
  /** The teacher's share of the loss of predictions. */
  readonly alpha: number;
  /** Of a stage that learns what is inside, before predictions are learned. */
  readonly innerEpochs?: number | undefined;
  /** Examples that only the teacher has an answer for. */
  readonly unlabeled: readonly Example[];
  /** Copies of each text with other words, for which the teacher answers; 0 for none. */
  readonly copies: number;
  /** The teacher's tokenizer, where a student from scratch is to have it. */
  readonly vocabulary?: Vocabulary | undefined;
  /** The student is so many layers of what it begins with. */
  readonly layers?: number | undefined;
}

/** Whether a method compares what is inside the models, and so runs the teacher beside the student. */
export function isInner(method: DistillationMethod): method is InnerMethod {
  return (INNER_METHODS as readonly string[]).includes(method);
}

/** Methods that learn what is inside first, and then predictions. */
const STAGED: ReadonlySet<DistillationMethod> = new Set(['tinybert', 'minilm']);

/**
 * Of methods that learn both at once, the factors of the distance, of the teacher's predictions and of the task's own loss.
 * DistilBERT's are 1, 5 and 2, where the labels stand in the place of hidden words; CWD's is 5 for maps of features.
 */
const TOGETHER = {
  distilbert: { distance: 1, predictions: 5, own: 2 },
  cwd: { distance: 5, predictions: 0, own: 1 },
} as const;

export interface Balance {
  readonly temperature: number;
  readonly alpha: number;
}

/** What a method has as published, where the user says nothing. Throws 'usage' for an alpha that the method has no place for. */
export function balanceOf(
  method: DistillationMethod,
  given: { readonly temperature?: number | undefined; readonly alpha?: number | undefined },
): Balance {
  if (method in TOGETHER && given.alpha !== undefined) {
    throw new LatheError('usage', `--alpha: ${method} has its own weights for what it adds up`, {
      hint: 'Leave it out.',
    });
  }
  const softened = method === 'logits' || method === 'minilm' || method === 'distilbert';
  return {
    temperature: given.temperature ?? (softened ? 2 : 1),
    alpha: given.alpha ?? (method === 'tinybert' ? 1 : 0.5),
  };
}

/** What stands of a plan in records. */
export function distillationRecord(plan: DistillationPlan): Readonly<Record<string, unknown>> {
  const { source, method, temperature, alpha, innerEpochs, unlabeled, copies, vocabulary, layers } = plan;
  return {
    teacher: source,
    method,
    temperature,
    ...(!(method in TOGETHER) && { alpha }),
    ...(innerEpochs !== undefined && { innerEpochs }),
    ...(layers !== undefined && { layers }),
    unlabeled: unlabeled.length,
    ...(copies > 0 && { copies }),
    vocabulary: vocabulary === undefined ? 'own' : "the teacher's",
  };
}

/** What a student learns with a teacher: from where it stands, on which examples, and what of each. */
export interface Lesson {
  readonly candidate: Candidate;
  readonly splits: Splits;
  readonly teaching: Teaching;
}

/**
 * Asks the teacher what it says of every example that the student will learn from. By a method of two stages the student has
 * learned what is inside the teacher when this returns.
 */
export async function prepareLesson(
  plan: DistillationPlan,
  candidate: Candidate,
  splits: Splits,
  learning: Learning,
  terminal: Terminal,
): Promise<Lesson> {
  const { method } = plan;
  // Before the teacher is asked, which takes its time.
  const inner = isInner(method) ? await innerOf(method, plan, candidate, learning, terminal) : undefined;
  const asked =
    method === 'cwd' && plan.unlabeled.length === 0 && plan.copies === 0
      ? { splits, columns: {} }
      : await askTeacher(plan, splits, learning, terminal);
  const predictions = (own: Loss): Loss => distillation(own, { teacher: lossOf(plan), alpha: plan.alpha });
  if (inner === undefined) {
    return { candidate, splits: asked.splits, teaching: { columns: asked.columns, loss: predictions } };
  }
  if (STAGED.has(method)) {
    const learned = await learnInside(plan, inner, candidate, asked.splits, learning, terminal);
    return { candidate: learned, splits: asked.splits, teaching: { columns: asked.columns, loss: predictions } };
  }
  const factors = TOGETHER[method as keyof typeof TOGETHER];
  const sum = factors.predictions + factors.own;
  return {
    candidate: { ...candidate, forms: { ...inner.studentForms, trainingForm: inner.distance.model } },
    splits: asked.splits,
    teaching: {
      ...(factors.predictions > 0 && { columns: asked.columns }),
      parameters: inner.distance.parameters,
      loss: (own) => {
        const share = factors.predictions / sum;
        const both = share === 0 ? own : distillation(own, { teacher: lossOf(plan), alpha: share });
        return withDistance(both, inner.distance, { factor: factors.distance, own: sum });
      },
    },
  };
}

async function askTeacher(
  plan: DistillationPlan,
  splits: Splits,
  learning: Learning,
  terminal: Terminal,
): Promise<{ readonly splits: Splits; readonly columns: Readonly<Record<string, Column>> }> {
  const copies = plan.copies === 0 ? [] : await copiesOf(plan, splits.train, learning, terminal);
  const progress = terminal.progress(`asking ${plan.source}`);
  const examples = [...splits.train, ...plan.unlabeled, ...copies];
  const pipeline = await openPipeline(plan.teacher);
  const teacher = await teacherOutputs(pipeline, examples, {
    prepared: true,
    signal: terminal.signal,
    onProgress: (done, total) => progress.update(done, total),
  }).finally(() => pipeline.close());
  progress.done(`asked ${plan.source}: ${examples.length} answers`);
  const answers = answersOf(plan.teacher.manifest.task, teacher, learning.labels);
  const train = examples.map((example, at) =>
    at < splits.train.length ? example : { ...example, label: answers(at) },
  );
  return { splits: { ...splits, train }, columns: { teacher } };
}

/** TinyBERT takes one of so many words. */
const CANDIDATES = 15;

/** The texts again, with words in place of those that are near to them in the teacher's own table. */
async function copiesOf(
  { teacher, source, copies }: DistillationPlan,
  examples: readonly Example[],
  { task, labels, settings, maxLength }: Learning,
  terminal: Terminal,
): Promise<readonly Example[]> {
  const { features } = teacher.manifest.pipeline;
  const start = features.kind === 'tokens' ? await openStart(teacher.folder, { task, labels }, terminal) : undefined;
  if (start?.kind !== 'architecture') {
    throw new LatheError('unsupported', `--copies: "${source}" has no table of words that is known`, {
      hint: 'Leave it out, or give texts without labels: --unlabeled FILE.',
    });
  }
  const progress = terminal.progress('finding words that are near to others');
  const { tokenizer } = start.reader;
  const table = start.weights.get(`${ARCHITECTURES[modelTypeOf(start.config)].embeddings.words}.weight`)!;
  const nearest = await nearestWords(tokenizer, table, CANDIDATES);
  const seed = settings.seed ?? DEFAULT_SETTINGS.seed;
  const augment = (part: (example: TextExample) => string, name: string): string[] =>
    augmentTexts(
      tokenizer,
      examples.map((example) => part(example as TextExample)),
      nearest,
      { copies, maxLength, seed: deriveSeed(seed, name) },
    );
  const texts = augment(({ text }) => (typeof text === 'string' ? text : text.join(' ')), 'text');
  const pairs = 'textPair' in examples[0]! ? augment(({ textPair }) => textPair ?? '', 'text of a pair') : undefined;
  progress.done(`made ${texts.length} copies of texts, of ${nearest.size} words with others near`);
  return texts.map((text, at) => ({ text, ...(pairs && { textPair: pairs[at]! }) }));
}

function lossOf({ method, temperature, teacher }: DistillationPlan): Loss {
  return method === 'dist'
    ? classRelations({ temperature, between: 2, within: 2 })
    : softTargets(teacher.manifest.task, { temperature });
}

interface Inner {
  readonly distance: ReturnType<typeof innerDistance>;
  /** The same without dropout. */
  readonly validationForm: Model;
  readonly studentForms: Candidate['forms'];
}

async function innerOf(
  method: InnerMethod,
  plan: DistillationPlan,
  candidate: Candidate,
  learning: Learning,
  terminal: Terminal,
): Promise<Inner> {
  await refuseOtherReading(plan, candidate);
  const teacher = await graphOf(plan.teacher, learning, terminal);
  const { forms } = candidate;
  const own = new Set(forms.trainingForm.graph.inputs.map(({ name }) => name));
  const more = teacher.graph.inputs.filter(({ name }) => !own.has(name) && !teacher.graph.initializers.has(name));
  if (more.length > 0) {
    throw new LatheError(
      'unsupported',
      `--method ${method}: the teacher reads ${more.map(({ name }) => `"${name}"`).join(', ')}, which the student does not`,
      { hint: 'Choose a student that reads the same, or --method logits.' },
    );
  }
  const seed = learning.settings.seed ?? DEFAULT_SETTINGS.seed;
  const distanceIn = (form: Model) => innerDistance(method, form, teacher, { seed, temperature: plan.temperature });
  return {
    distance: distanceIn(forms.trainingForm),
    validationForm: distanceIn(withoutDropout(forms.trainingForm)).model,
    studentForms: forms,
  };
}

/** A first stage: the student becomes like the teacher inside, and its predictions are left as they are. */
async function learnInside(
  plan: DistillationPlan,
  { distance, validationForm, studentForms }: Inner,
  candidate: Candidate,
  splits: Splits,
  learning: Learning,
  terminal: Terminal,
): Promise<Candidate> {
  const runFolder = join(learning.runFolder, 'inside');
  const { epochs, ...settings } = learning.settings;
  const innerEpochs = plan.innerEpochs ?? epochs;
  const trained = await trainCandidate(
    {
      ...candidate,
      name: `the inside of ${candidate.name}`,
      forms: { model: studentForms.model, trainingForm: distance.model, validationForm },
      // As published, for a student that knows something already.
      defaults: { ...candidate.defaults, ...(learning.model !== undefined && { learningRate: 5e-5 }) },
    },
    splits,
    learning,
    {
      runFolder,
      settings: { ...settings, ...(innerEpochs !== undefined && { epochs: innerEpochs }) },
      resume: learning.resume,
      teaching: {
        parameters: distance.parameters,
        loss: (own) => withDistance(own, distance, { factor: 1, own: 0 }),
        alone: true,
      },
    },
    terminal,
  );
  const best = await bestTensors(runFolder);
  return {
    ...candidate,
    forms: {
      ...studentForms,
      model: trained.model,
      trainingForm: withParameters(studentForms.trainingForm, best),
      ...(studentForms.validationForm && { validationForm: withParameters(studentForms.validationForm, best) }),
    },
  };
}

/** The teacher's graph with all that is inside it: of an architecture that Lathe builds, the states of all tokens too. */
async function graphOf(teacher: Package, { task, labels }: Learning, terminal: Terminal): Promise<Model> {
  const start = await openStart(teacher.folder, { task, labels }, terminal);
  if (start.kind === 'graph') return prepareModel(start.model);
  return fromConfig(start.config, { head: task.head, weights: start.weights, everyRow: true });
}

/** Both have to see the same tokens, or the same pixels. */
async function refuseOtherReading({ teacher, method }: DistillationPlan, { files }: Candidate): Promise<void> {
  for (const file of [TOKENIZER_FILE, PREPROCESSOR_FILE]) {
    const own = files[file];
    const theirs = file in teacher.manifest.files ? await teacher.readText(file) : undefined;
    if (own === undefined && theirs === undefined) continue;
    if (own !== undefined && theirs !== undefined && isDeepStrictEqual(JSON.parse(own), JSON.parse(theirs))) continue;
    throw new LatheError('usage', `--method ${method}: student and teacher read with another ${file} each`, {
      hint:
        file === TOKENIZER_FILE
          ? 'A student from scratch has the tokenizer of its teacher; --method logits has no need of that.'
          : 'Give the student the size of the images of its teacher (--image-size); --method logits has no need of that.',
    });
  }
}

/** Reads texts without labels from a file, as the teacher's own texts were prepared. */
export async function readUnlabeled(
  file: string,
  { columns, pipeline }: Manifest,
  terminal: Terminal,
): Promise<readonly Example[]> {
  const progress = terminal.progress(`reading ${file}`);
  const dataset = await datasetFromFile({
    source: sourceOf([file]),
    text: columns.text,
    textPair: columns.textPair,
    label: false,
    split: false,
    fractions: { train: 1, validation: 0, test: 0 },
    signal: terminal.signal,
  });
  const clean = textCleaner(pipeline.steps as TextStep[]);
  const examples = (await readExamples(dataset, 'train', { labelled: false })).map((example) =>
    'text' in example && typeof example.text === 'string' ? { ...example, text: clean(example.text) } : example,
  );
  progress.done(`read ${file}: ${examples.length} texts without labels`);
  return examples;
}
