import type { TrainSettings } from '../train/index.ts';
import { distillationRecord } from './distillation.ts';
import { recordedName } from './start/model-files.ts';
import type { TrainPlan } from './train-plan.ts';

/** What a run was made with, for its records. */
export function settingsRecord(plan: TrainPlan, settings: TrainSettings): Record<string, unknown> {
  const { arch, model, maxLength, vocabularySize, lowercase, dropout, labelSmoothing, classWeights, wholeWords } = plan;
  const { tokenizer, head, freezeBackbone, freezeBatchNorm, lora, distillation } = plan;
  const images = plan.dataset.facts.columns.image !== undefined;
  return {
    ...(model === undefined
      ? { arch }
      : {
          model: recordedName(model),
          ...(tokenizer !== undefined && { tokenizer }),
          ...(head !== undefined && { head }),
          ...(freezeBackbone && { freezeBackbone }),
          ...(freezeBatchNorm && { freezeBatchNorm }),
          ...(lora && { lora }),
        }),
    ...(images
      ? { ...(plan.imageSize !== undefined && { imageSize: plan.imageSize }), augmentation: plan.augmentation ?? {} }
      : { maxLength, vocabularySize, lowercase, dropout, wholeWords }),
    labelSmoothing,
    classWeights,
    ...(distillation && { distillation: distillationRecord(distillation) }),
    ...settings,
  };
}
