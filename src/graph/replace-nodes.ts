import { type GraphBuilder, identityNode, type Value } from './builder.ts';
import type { Model, Node } from './ir.ts';

/**
 * The nodes that `write` adds to the builder, with its results under the given names ('' for one that nobody reads). A
 * result that is not made by these nodes, or has two names, is copied.
 */
export function nodesGiving(
  build: GraphBuilder,
  names: readonly string[],
  write: () => readonly (Value | undefined)[],
): readonly Node[] {
  const start = build.nodes.length;
  const results = write();
  const made = build.nodes.slice(start);
  const own = new Set(made.flatMap(({ outputs }) => outputs));
  const named = new Map<Value, string>();
  const copies: Node[] = [];
  for (const [index, name] of names.entries()) {
    const value = results[index];
    if (name === '' || value === undefined) continue;
    if (own.has(value) && !named.has(value)) named.set(value, name);
    else copies.push(identityNode(named.get(value) ?? value, name));
  }
  const renamed = (value: Value): Value => named.get(value) ?? value;
  return [
    ...made.map((node) => ({ ...node, inputs: node.inputs.map(renamed), outputs: node.outputs.map(renamed) })),
    ...copies,
  ];
}

/** The model with nodes replaced by others, and the initializers of the builder that wrote them. */
export function replaceNodes(
  model: Model,
  { initializers }: Pick<GraphBuilder, 'initializers'>,
  replaced: ReadonlyMap<Node, readonly Node[]>,
): Model {
  const { graph } = model;
  return {
    ...model,
    graph: {
      ...graph,
      nodes: graph.nodes.flatMap((node) => replaced.get(node) ?? node),
      initializers: new Map([...graph.initializers, ...initializers]),
    },
  };
}
