import type { Graph, Node } from '../graph/index.ts';

/** All values that a node reads: its inputs, and what its subgraphs take from around them. */
export function readsOf(node: Node): readonly string[] {
  const captured = new Set<string>();
  for (const attribute of node.attributes.values()) {
    if (attribute.kind === 'graph') collect(attribute.value, captured);
    if (attribute.kind === 'graphs') for (const graph of attribute.value) collect(graph, captured);
  }
  const inputs = node.inputs.filter((name) => name !== '');
  return captured.size === 0 ? inputs : [...inputs, ...captured];
}

function collect(graph: Graph, captured: Set<string>): void {
  const own = new Set([...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)]);
  for (const node of graph.nodes) for (const name of node.outputs) own.add(name);
  for (const node of graph.nodes) for (const name of readsOf(node)) if (!own.has(name)) captured.add(name);
  for (const { name } of graph.outputs) if (!own.has(name)) captured.add(name);
}
