import { LatheError } from '../base/index.ts';
import { describeNode, type Model, type Node, opsetOf } from '../graph/index.ts';

/** The oldest operator set that gradients are built in, and the newest whose forms the builder writes. */
const OLDEST = 13;
const NEWEST = 21;

/**
 * Operators whose meaning changed between operator sets 13 and 17, which is as far as a gradient ever raises a model,
 * with the test for nodes that mean the same before and after.
 */
const CHANGED: Readonly<Record<string, { readonly since: number; readonly same: (node: Node) => boolean }>> = {
  BatchNormalization: { since: 14, same: (node) => node.outputs.length === 1 },
  RoiAlign: { since: 16, same: (node) => node.attributes.has('coordinate_transformation_mode') },
};

/**
 * The operator set of the gradient graph: the model's own, or the newer one that some rule needs. Throws a
 * LatheError('unsupported') where a node of the model would mean something else there.
 */
export function raisedOperatorSet(
  model: Model,
  steps: readonly { readonly node: Node; readonly operatorSet: number }[],
): number {
  const current = opsetOf(model);
  if (current === undefined || current < OLDEST || current > NEWEST) {
    throw new LatheError(
      'unsupported',
      `the model imports operator set ${current ?? 'none'}: gradients need ${OLDEST} to ${NEWEST}`,
      { hint: 'Raise an older one first: convertOperatorSet().' },
    );
  }
  const needing = steps.reduce<(typeof steps)[number] | undefined>(
    (most, step) => (step.operatorSet > (most?.operatorSet ?? current) ? step : most),
    undefined,
  );
  if (needing === undefined) return current;
  for (const node of model.graph.nodes) {
    const change = node.domain === '' ? CHANGED[node.opType] : undefined;
    if (change === undefined || change.since <= current || change.since > needing.operatorSet || change.same(node)) {
      continue;
    }
    throw new LatheError(
      'unsupported',
      `the gradient of ${describeNode(needing.node)} needs operator set ${needing.operatorSet}, the model has ${current}, and ` +
        `${describeNode(node)} changed its meaning in ${change.since}`,
      { hint: `Raise it first: convertOperatorSet(model, { to: ${needing.operatorSet} }).` },
    );
  }
  return needing.operatorSet;
}
