import { answersOf, softTargets, teacherOutputs } from '../compress/index.ts';
import { datasetFromFile, sourceOf, type TextStep, textCleaner } from '../data/index.ts';
import { classRelations, distillation, type Loss } from '../nn/index.ts';
import { type Example, type Manifest, openPipeline, type Package } from '../pipeline/index.ts';
import type { Candidate, Vocabulary } from './candidate.ts';
import { readExamples } from './examples.ts';
import type { Terminal } from './terminal.ts';
import type { Splits, Teaching } from './train-candidate.ts';
import type { Learning } from './train-plan.ts';

export const DISTILLATION_METHODS = ['logits', 'dist'] as const;
export type DistillationMethod = (typeof DISTILLATION_METHODS)[number];

/** What a student is to learn from a teacher, and how. */
export interface DistillationPlan {
  readonly teacher: Package;
  /** How the user named it. */
  readonly source: string;
  readonly method: DistillationMethod;
  readonly temperature: number;
  readonly alpha: number;
  /** Examples that only the teacher has an answer for. */
  readonly unlabeled: readonly Example[];
  /** The teacher's tokenizer, where a student from scratch is to have it. */
  readonly vocabulary?: Vocabulary | undefined;
}

/** What stands of a plan in records. */
export function distillationRecord({ source, method, temperature, alpha, unlabeled, vocabulary }: DistillationPlan) {
  return {
    teacher: source,
    method,
    temperature,
    alpha,
    unlabeled: unlabeled.length,
    vocabulary: vocabulary === undefined ? 'own' : "the teacher's",
  };
}

/** What a student learns with a teacher: on which examples, and what of each. */
export interface Lesson {
  readonly candidate: Candidate;
  readonly splits: Splits;
  readonly teaching: Teaching;
}

/** Asks the teacher what it says of every example that the student will learn from. */
export async function prepareLesson(
  plan: DistillationPlan,
  candidate: Candidate,
  splits: Splits,
  { labels }: Pick<Learning, 'labels'>,
  terminal: Terminal,
): Promise<Lesson> {
  const { task } = plan.teacher.manifest;
  const teacherLoss = lossOf(plan);
  const progress = terminal.progress(`asking ${plan.source}`);
  const examples = [...splits.train, ...plan.unlabeled];
  const pipeline = await openPipeline(plan.teacher);
  const teacher = await teacherOutputs(pipeline, examples, {
    prepared: true,
    signal: terminal.signal,
    onProgress: (done, total) => progress.update(done, total),
  }).finally(() => pipeline.close());
  progress.done(`asked ${plan.source}: ${examples.length} answers`);
  const answers = answersOf(task, teacher, labels);
  const train = examples.map((example, at) =>
    at < splits.train.length ? example : { ...example, label: answers(at) },
  );
  return {
    candidate,
    splits: { ...splits, train },
    teaching: {
      columns: { teacher },
      loss: (own) => distillation(own, { teacher: teacherLoss, alpha: plan.alpha }),
    },
  };
}

function lossOf({ method, temperature, teacher }: DistillationPlan): Loss {
  const usual = softTargets(teacher.manifest.task, { temperature });
  return method === 'dist' ? classRelations({ temperature, between: 2, within: 2 }) : usual;
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
