import { LatheError } from '../../base/errors.ts';
import { describeNode } from '../attributes.ts';
import { DEFAULT_OPSET, GraphBuilder, type Value } from '../builder.ts';
import { inferTypes } from '../infer.ts';
import { type Model, type Node, opsetOf, type TensorType } from '../ir.ts';
import { readsOf } from '../reads.ts';
import { nodesGiving, replaceNodes } from '../replace-nodes.ts';
import { ACTIVATIONS } from './contrib/activations.ts';
import { ATTENTION } from './contrib/attention.ts';
import type { Expansion, ExpansionContext } from './contrib/expansion.ts';
import { GROUPED_ATTENTION } from './contrib/grouped-attention.ts';
import { NORMALIZATIONS } from './contrib/normalization.ts';
import { ROTARY } from './contrib/rotary.ts';
import { convertOperatorSet } from './convert-operator-set.ts';
import { type Pass, type PassResult, resultOf } from './pass.ts';

/** The operators beyond the standard (ONNX Runtime's, domain com.microsoft) that are written in standard ones. */
export const CONTRIB_EXPANSIONS: Readonly<Record<string, Expansion>> = {
  ...ACTIVATIONS,
  ...ATTENTION,
  ...GROUPED_ATTENTION,
  ...NORMALIZATIONS,
  ...ROTARY,
};

/**
 * Writes the fused operators of optimized models (com.microsoft) in standard operators, which every other pass and the
 * gradient understand. An older model is raised to operator set 17, which has LayerNormalization. Nodes in subgraphs and
 * functions, and contrib operators without an expansion, stay.
 *
 * Throws LatheError('unsupported'), naming the node, for a use of an operator that is not expanded (shared buffers of
 * states, packed batches), where a type or rank that an expansion needs is not known, and what convertOperatorSet throws.
 */
export const expandContribOperators: Pass = (model) => expandNodes(model, contribExpansionOf);

/** Replaces every node of the main graph that has an expansion. */
export function expandNodes(model: Model, expansionOf: (node: Node) => Expansion | undefined): PassResult {
  const pendingIn = ({ graph }: Model): readonly Node[] =>
    graph.nodes.filter((node) => expansionOf(node) !== undefined);
  if (pendingIn(model).length === 0) return resultOf(model, model);
  let current = convertOperatorSet(model).model;
  // Types behind a node are known once it is expanded: a round for each in a row.
  for (;;) {
    const pending = pendingIn(current);
    if (pending.length === 0) return resultOf(model, current);
    const next = expanded(current, expansionOf);
    if (next === current) {
      throw new LatheError('unsupported', `${describeNode(pending[0]!)}: the type or rank of an input is not known`, {
        hint: 'Give the inputs of the model types with a rank; dimensions may stay open.',
      });
    }
    current = next;
  }
}

export function contribExpansionOf({ domain, opType }: Node): Expansion | undefined {
  const contrib = domain === 'com.microsoft' || (domain === '' && opType === 'SimplifiedLayerNormalization');
  return contrib && Object.hasOwn(CONTRIB_EXPANSIONS, opType) ? CONTRIB_EXPANSIONS[opType] : undefined;
}

function expanded(model: Model, expansionOf: (node: Node) => Expansion | undefined): Model {
  const { graph } = model;
  const build = new GraphBuilder({ opset: opsetOf(model) ?? DEFAULT_OPSET, extending: graph });
  const types = inferTypes(model);
  const typeOf = (name: string): TensorType | undefined => {
    const type = types.get(name)?.type;
    return type?.kind === 'tensor' && type.dtype !== 'undefined' ? (type as TensorType) : undefined;
  };
  const read = new Set([...graph.outputs.map(({ name }) => name), ...graph.nodes.flatMap(readsOf)]);
  const replaced = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    const expansion = expansionOf(node);
    const known = node.inputs.every((name) => name === '' || typeOf(name)?.shape !== undefined);
    if (expansion !== undefined && known) replaced.set(node, written(node, expansion, build, typeOf, read));
  }
  return replaced.size === 0 ? model : replaceNodes(model, build, replaced);
}

/** The nodes of one expansion, whose results have the names of the node's outputs. */
function written(
  node: Node,
  expansion: Expansion,
  build: GraphBuilder,
  typeOf: (name: string) => TensorType | undefined,
  read: ReadonlySet<string>,
): readonly Node[] {
  const names = node.outputs.map((name) => (read.has(name) ? name : ''));
  return nodesGiving(build, names, () => {
    const results = expansion(contextOf(node, build, typeOf, read));
    const absent = names.findIndex((name, index) => name !== '' && results[index] === undefined);
    if (absent >= 0) throw refusal(node, `output ${absent}`);
    return results;
  });
}

function contextOf(
  node: Node,
  build: GraphBuilder,
  typeOf: (name: string) => TensorType | undefined,
  read: ReadonlySet<string>,
): ExpansionContext {
  const has = (index: number): boolean => (node.inputs[index] ?? '') !== '';
  const input = (index: number): Value => {
    if (has(index)) return node.inputs[index]!;
    throw new LatheError('invalid-model', `${describeNode(node)}: input ${index} is missing`);
  };
  const dtypes = node.inputs.map((name) => typeOf(name)?.dtype);
  const dtype = dtypes.find((type) => type === 'float32' || type === 'float64');
  if (dtype === undefined) throw refusal(node, `inputs of type ${dtypes.filter((type) => type).join(', ')}`);
  return {
    node,
    build,
    has,
    input,
    dtype,
    shapeOf: (index) => typeOf(input(index))!.shape!,
    reads: (output) => read.has(node.outputs[output] ?? ''),
    refuse: (what) => refusal(node, what),
  };
}

function refusal(node: Node, what: string): LatheError {
  return new LatheError('unsupported', `${describeNode(node)} is not expanded with ${what}`, {
    hint: 'Export the model without this optimization.',
  });
}
