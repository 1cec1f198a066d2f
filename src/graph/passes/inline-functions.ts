import { LatheError } from '../../base/errors.ts';
import { describeNode } from '../attributes.ts';
import { GraphBuilder, identityNode } from '../builder.ts';
import { bodyOf, type Functions, functionsOf } from '../functions.ts';
import type { FunctionDefinition, Graph, Model, Node, OperatorSet } from '../ir.ts';
import { mapSubgraphs, subgraphsOf } from '../reads.ts';
import { convertOperatorSet } from './convert-operator-set.ts';
import { NEWEST_OPERATOR_SET } from './operator-versions/histories.ts';
import type { Pass } from './pass.ts';

/**
 * Writes the bodies of the model's functions in place of the nodes that call them, in subgraphs as well, and drops the
 * functions: passes, gradients and trainable parameters are then found in them as everywhere. Values and nodes of a body
 * are named after the call. Where operator sets of the default domain differ, the older ones are raised first.
 *
 * Throws LatheError('invalid-model') for functions that call each other without end, and 'unsupported' where a function
 * imports another version of a further domain than the model.
 */
export const inlineFunctions: Pass = (given) => {
  if (given.functions.length === 0) return { model: given, changed: false };
  const versions = [given, ...given.functions].flatMap(({ opsets }) =>
    opsets.filter(({ domain }) => domain === '').map(({ version }) => version),
  );
  const mixed = new Set(versions).size > 1;
  const newest = Math.max(13, ...versions);
  if (mixed && newest > NEWEST_OPERATOR_SET) {
    throw new LatheError(
      'unsupported',
      `the model and its functions import operator sets ${[...new Set(versions)].join(', ')}: expected one, or at most ${NEWEST_OPERATOR_SET}`,
    );
  }
  const model = mixed ? convertOperatorSet(given, { to: newest }).model : given;
  const inlining: Inlining = {
    functions: functionsOf(model),
    names: new GraphBuilder({ extending: model.graph }),
  };
  const nodes = model.graph.nodes.flatMap((node) => inlined(inlining, node, 0));
  const graph: Graph = { ...model.graph, nodes };
  return { model: { ...model, functions: [], opsets: importsOf(model, nodes), graph }, changed: true };
};

interface Inlining {
  readonly functions: Functions;
  readonly names: GraphBuilder;
}

/** Files nest without limit; a program's stack does not. */
const DEPTH_LIMIT = 64;

function inlined(inlining: Inlining, given: Node, depth: number): readonly Node[] {
  const node = mapSubgraphs(given, (graph) => ({
    ...graph,
    nodes: graph.nodes.flatMap((inner) => inlined(inlining, inner, depth)),
  }));
  const definition = inlining.functions.definitionOf(node);
  if (definition === undefined) return [node];
  if (depth === DEPTH_LIMIT) {
    throw new LatheError('invalid-model', `${describeNode(node)}: more than ${DEPTH_LIMIT} functions deep`, {
      hint: 'A function must not call itself.',
    });
  }
  return bodyInPlace(inlining, definition, node).flatMap((inner) => inlined(inlining, inner, depth + 1));
}

function bodyInPlace({ names }: Inlining, definition: FunctionDefinition, call: Node): readonly Node[] {
  const body = bodyOf(definition, call);
  const prefix = call.name === '' ? definition.name : call.name;
  const renamed = new Map<string, string>([['', '']]);
  for (const { name, given } of body.inputs) renamed.set(name, given);
  const copies: Node[] = [];
  for (const [index, name] of definition.outputs.entries()) {
    const output = call.outputs[index] ?? '';
    if (output === '') continue;
    const known = renamed.get(name);
    if (known === undefined) renamed.set(name, output);
    // An input that is an output as well, or one value that is two of them.
    else copies.push(identityNode(known, output));
  }
  const rename = (name: string): string => {
    const known = renamed.get(name);
    if (known !== undefined) return known;
    const fresh = names.unique(`${prefix}/${name}`);
    renamed.set(name, fresh);
    return fresh;
  };
  const nodes = body.nodes.map((node) => {
    const moved = withNames(node, rename);
    return node.name === '' ? moved : { ...moved, name: names.unique(`${prefix}/${node.name}`) };
  });
  return [...nodes, ...copies];
}

/** The node, and all in its subgraphs, with other names of values. */
function withNames(node: Node, rename: (name: string) => string): Node {
  const inGraph = (graph: Graph): Graph => ({
    ...graph,
    nodes: graph.nodes.map((inner) => withNames(inner, rename)),
    inputs: graph.inputs.map((info) => ({ ...info, name: rename(info.name) })),
    outputs: graph.outputs.map((info) => ({ ...info, name: rename(info.name) })),
    valueInfo: graph.valueInfo.map((info) => ({ ...info, name: rename(info.name) })),
    initializers: new Map([...graph.initializers].map(([name, value]) => [rename(name), value] as const)),
    sparseInitializers: graph.sparseInitializers.map((sparse) => ({
      ...sparse,
      values: { ...sparse.values, name: rename(sparse.values.name ?? '') },
    })),
  });
  const renamed = mapSubgraphs(node, inGraph);
  return { ...renamed, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) };
}

/** The domains that are still used, those of the functions' bodies included. */
function importsOf(model: Model, nodes: readonly Node[]): readonly OperatorSet[] {
  const used = new Set<string>();
  const visit = (node: Node): void => {
    used.add(node.domain);
    for (const graph of subgraphsOf(node)) graph.nodes.forEach(visit);
  };
  nodes.forEach(visit);
  const own = new Set(model.functions.map(({ domain }) => domain));
  const imports = model.opsets.filter(({ domain }) => used.has(domain) || !own.has(domain));
  for (const { name, opsets } of model.functions) {
    for (const set of opsets) {
      const known = imports.find(({ domain }) => domain === set.domain);
      if (known === undefined && used.has(set.domain)) imports.push(set);
      if (known === undefined || known.version === set.version || !used.has(set.domain)) continue;
      throw new LatheError(
        'unsupported',
        `function "${name}" imports "${set.domain}" ${set.version}, the model ${known.version}`,
        { hint: 'Export the model with one version of each domain.' },
      );
    }
  }
  return imports;
}
