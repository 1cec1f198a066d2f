import type { TrainSettings } from '../train/index.ts';
import type { ClassifierPlan } from './train-classifier.ts';

/** What a run was made with, for its records. */
export function settingsRecord(plan: ClassifierPlan, settings: TrainSettings): Record<string, unknown> {
  const { arch, maxLength, vocabularySize, lowercase, dropout, labelSmoothing, classWeights } = plan;
  return { arch, maxLength, vocabularySize, lowercase, dropout, labelSmoothing, classWeights, ...settings };
}
