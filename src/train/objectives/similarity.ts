import { pearson, spearman } from '../../metrics/index.ts';
import { gatherRows, type ObjectiveRule, truthOf } from './objective.ts';

/** How well the similarities of pairs follow the numbers that they have. */
export const similarity: ObjectiveRule<object> = {
  headline: 'spearman',
  better: 'higher',
  start: (_options, context) =>
    gatherRows(context, (values) => {
      const truth = truthOf(context);
      const measured = { spearman: spearman(truth, values), pearson: pearson(truth, values) };
      return Object.fromEntries(
        // A model that says the same of all pairs has learned nothing of their order.
        Object.entries(measured).map(([name, { value }]) => [name, Number.isFinite(value) ? value : 0]),
      );
    }),
};
