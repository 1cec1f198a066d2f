import { LatheError } from '../../base/index.ts';
import { TASKS } from '../../pipeline/index.ts';
import { classificationOf } from './classification.ts';
import type { TrainableTask } from './trainable-task.ts';

export const imageClassification: TrainableTask<Float64Array> = {
  ...classificationOf(TASKS['image-classification']),
  config: { className: 'ForImageClassification', problemType: 'single_label_classification' },
  head: 'sequence-classification',
  batchSteps({ spec }, { augmentation = {}, labels }) {
    if (spec.kind !== 'image') return [];
    const { mixing, ...alone } = augmentation;
    const column = spec.input;
    return [
      ...(Object.keys(alone).length > 0 ? [{ kind: 'augment-images', column, how: alone } as const] : []),
      ...(mixing
        ? [{ kind: 'mix-images', column, labels: 'labels', classes: labels.length, how: mixing } as const]
        : []),
    ];
  },
  transformer() {
    throw new LatheError('unsupported', 'image-classification: a transformer over texts cannot see images', {
      hint: 'Name an architecture for images with --arch, or a model of images with --model.',
    });
  },
};
