import { LatheError } from '../../base/index.ts';
import { TASKS } from '../../pipeline/index.ts';
import { classificationOf } from './classification.ts';
import type { TrainableTask } from './trainable-task.ts';

export const imageClassification: TrainableTask<Float64Array> = {
  ...classificationOf(TASKS['image-classification']),
  config: { className: 'ForImageClassification', problemType: 'single_label_classification' },
  head: 'sequence-classification',
  batchSteps({ spec }, { augmentation = {} }) {
    if (spec.kind !== 'image' || Object.keys(augmentation).length === 0) return [];
    return [{ kind: 'augment-images', column: spec.input, how: augmentation }];
  },
  transformer() {
    throw new LatheError('unsupported', 'image-classification: a transformer over texts cannot see images', {
      hint: 'Name an architecture for images with --arch, or a model of images with --model.',
    });
  },
};
