import type { Attribute, Graph, Node } from './ir.ts';

/** The graphs that a node holds as attributes. */
export function subgraphsOf(node: Node): readonly Graph[] {
  const graphs: Graph[] = [];
  for (const attribute of node.attributes.values()) {
    if (attribute.kind === 'graph') graphs.push(attribute.value);
    else if (attribute.kind === 'graphs') graphs.push(...attribute.value);
  }
  return graphs;
}

/** Every value that a node reads: its inputs, and what its subgraphs take from around them. */
export function readsOf(node: Node): readonly string[] {
  const inputs = node.inputs.includes('') ? node.inputs.filter((name) => name !== '') : node.inputs;
  const graphs = subgraphsOf(node);
  if (graphs.length === 0) return inputs;
  const all = new Set(inputs);
  for (const graph of graphs) for (const name of capturesOf(graph)) all.add(name);
  return [...all];
}

/** The values that a subgraph takes from the graphs around it. */
export function capturesOf(graph: Graph): ReadonlySet<string> {
  const own = new Set(graph.initializers.keys());
  for (const { name } of graph.inputs) own.add(name);
  for (const { values } of graph.sparseInitializers) own.add(values.name ?? '');
  for (const node of graph.nodes) for (const name of node.outputs) own.add(name);
  const captured = new Set<string>();
  for (const node of graph.nodes) for (const name of readsOf(node)) if (!own.has(name)) captured.add(name);
  for (const { name } of graph.outputs) if (!own.has(name)) captured.add(name);
  return captured;
}

/** The node with each of its subgraphs replaced; the same node where none changes. */
export function mapSubgraphs(node: Node, map: (graph: Graph) => Graph): Node {
  const replaced: [string, Attribute][] = [];
  for (const [name, attribute] of node.attributes) {
    if (attribute.kind === 'graph') {
      const value = map(attribute.value);
      if (value !== attribute.value) replaced.push([name, { ...attribute, value }]);
    } else if (attribute.kind === 'graphs') {
      const value = attribute.value.map(map);
      if (value.some((graph, index) => graph !== attribute.value[index]))
        replaced.push([name, { ...attribute, value }]);
    }
  }
  return replaced.length === 0 ? node : { ...node, attributes: new Map([...node.attributes, ...replaced]) };
}
