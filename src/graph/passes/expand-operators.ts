import { contribExpansionOf, expandNodes } from './expand-contrib-operators.ts';
import type { Pass } from './pass.ts';
import { recurrentExpansionOf } from './unroll-recurrent-operators.ts';

/**
 * expandContribOperators and unrollRecurrentOperators in one: the type of what one of these operators gives is known once
 * it is written in standard operators, so that each may come after the other. Throws what they throw.
 */
export const expandOperators: Pass = (model) =>
  expandNodes(model, (node) => contribExpansionOf(node) ?? recurrentExpansionOf(node));
