import { multiLabelReport } from '../../metrics/index.ts';
import { gatherRows, type ObjectiveRule, truthOf } from './objective.ts';

/** Micro F1, with the labels whose score is a half or more. */
export const multiLabel: ObjectiveRule<{ readonly labels: readonly string[] }> = {
  headline: 'microF1',
  better: 'higher',
  start: ({ labels }, context) =>
    gatherRows(
      context,
      (logits) =>
        multiLabelReport(
          truthOf(context),
          // The sigmoid of a logit is a half or more where the logit is 0 or more.
          Array.from(logits, (logit) => (logit >= 0 ? 1 : 0)),
          labels,
          { resamples: 0 },
        ).metrics,
    ),
};
