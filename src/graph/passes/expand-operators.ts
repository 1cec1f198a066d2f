import type { Node } from '../ir.ts';
import type { Expansion } from './contrib/expansion.ts';
import { contribExpansionOf, expandNodes } from './expand-contrib-operators.ts';
import type { Pass } from './pass.ts';
import { recurrentExpansionOf } from './unroll-recurrent-operators.ts';

/**
 * expandContribOperators and unrollRecurrentOperators in one: the type of what one of these operators gives is known once
 * it is written in standard operators, so that each may come after the other. Throws what they throw.
 */
export const expandOperators: Pass = (model) => expandNodes(model, expansionOf);

/** Whether expandOperators writes nodes like this in standard operators. */
export function isExpandable(node: Node): boolean {
  return expansionOf(node) !== undefined;
}

function expansionOf(node: Node): Expansion | undefined {
  return contribExpansionOf(node) ?? recurrentExpansionOf(node);
}
