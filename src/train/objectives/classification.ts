import { classificationReport } from '../../metrics/index.ts';
import { softmax } from '../../pipeline/index.ts';
import { gatherRows, type ObjectiveRule, truthOf } from './objective.ts';

/** F1 of the positive label, or the mean over labels. */
export const classification: ObjectiveRule<{ readonly labels: readonly string[]; readonly positive?: string }> = {
  headline: 'f1',
  better: 'higher',
  start: ({ labels, positive }, context) =>
    gatherRows(
      context,
      (logits, width) =>
        classificationReport(Int32Array.from(truthOf(context)), softmax(logits, width), labels, {
          resamples: 0,
          ...(positive !== undefined && { positive }),
        }).metrics,
    ),
};
