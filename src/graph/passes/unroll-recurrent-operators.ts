import type { Node } from '../ir.ts';
import type { Expansion } from './contrib/expansion.ts';
import { RECURRENT } from './contrib/recurrent.ts';
import { expandNodes } from './expand-contrib-operators.ts';
import type { Pass } from './pass.ts';

/**
 * Writes RNN, GRU and LSTM of a known sequence length (at most 256 steps) step by step in standard operators, which
 * have gradients: one or both directions, sequences that end early, initial states, peepholes, either order of a GRU's reset.
 *
 * Throws LatheError('unsupported'), naming the node, for lengths that are unknown or longer, for clip, input_forget,
 * layout 1, and activations other than the defaults.
 */
export const unrollRecurrentOperators: Pass = (model) => expandNodes(model, recurrentExpansionOf);

export function recurrentExpansionOf({ domain, opType }: Node): Expansion | undefined {
  const table: Readonly<Record<string, Expansion>> = RECURRENT;
  return domain === '' && Object.hasOwn(table, opType) ? table[opType] : undefined;
}
