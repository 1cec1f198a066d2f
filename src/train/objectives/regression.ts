import { regressionReport } from '../../metrics/index.ts';
import { gatherRows, type ObjectiveRule, truthOf } from './objective.ts';

export const regression: ObjectiveRule<object> = {
  headline: 'rmse',
  better: 'lower',
  start: (_options, context) =>
    gatherRows(context, (values) => regressionReport(truthOf(context), values, { resamples: 0 }).metrics),
};
