import { pairedBootstrap } from '../../metrics/index.ts';
import type { Judged, TrainableTask } from './trainable-task.ts';

/** The paired comparison of two models in a metric of any choice of examples, with repetitions. */
export function comparedBy<Reading>(
  metricOf: (judged: Judged<Reading>) => (examples: Int32Array) => number,
): NonNullable<TrainableTask<Reading>['compare']> {
  return (first, second, seed) => ({
    bootstrap: pairedBootstrap(first.examples.length, metricOf(first), metricOf(second), { seed }),
  });
}
