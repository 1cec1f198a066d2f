import { LatheError } from '../../base/index.ts';
import { klDivergence, type Loss, meanSquaredError, softBinaryCrossEntropy } from '../../nn/index.ts';
import type { TaskName } from '../../pipeline/index.ts';

export interface SoftTargets {
  /** How far a teacher's scores are softened, which shows what it thinks of the labels that it does not choose; default 2. */
  readonly temperature?: number;
}

const LOSSES: Readonly<Partial<Record<TaskName, (options: SoftTargets) => Loss>>> = {
  'text-classification': klDivergence,
  'image-classification': klDivergence,
  'token-classification': klDivergence,
  'multi-label-classification': softBinaryCrossEntropy,
  'text-regression': meanSquaredError,
};

/**
 * The loss that compares a student's predictions with a teacher's, by what the task's are: KL divergence of one label of several,
 * binary cross entropy of any number of labels, both with T² as a factor, and squares of numbers. Throws 'unsupported' for a task
 * whose teacher has nothing to say in these terms.
 */
export function softTargets(task: TaskName, { temperature = 2 }: SoftTargets = {}): Loss {
  const loss = LOSSES[task];
  if (loss !== undefined) return loss({ temperature });
  throw new LatheError(
    'unsupported',
    `distillation of predictions: ${task} is not one of ${Object.keys(LOSSES).join(', ')}`,
  );
}
