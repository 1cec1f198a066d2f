import type { Attribute, FunctionDefinition, Graph, Model, Node } from './ir.ts';

/** The functions of a model, to be found by the nodes that call them. */
export interface Functions {
  readonly definitionOf: (node: Node) => FunctionDefinition | undefined;
}

export function functionsOf(model: Pick<Model, 'functions'>): Functions {
  if (model.functions.length === 0) return { definitionOf: () => undefined };
  const key = (domain: string, name: string, overload = ''): string => `${domain}\u0000${name}\u0000${overload}`;
  const known = new Map(model.functions.map((item) => [key(item.domain, item.name, item.overload), item]));
  return { definitionOf: (node) => known.get(key(node.domain, node.opType, node.overload)) };
}

/** A node of a function's body with its references to attributes replaced by what the call gives, or the defaults. */
export function bindAttributes(node: Node, call: Node, definition: FunctionDefinition): Node {
  return bind(node, new Map([...definition.attributeDefaults, ...call.attributes]));
}

function bind(node: Node, given: ReadonlyMap<string, Attribute>): Node {
  const bindGraph = (graph: Graph): Graph => ({ ...graph, nodes: graph.nodes.map((inner) => bind(inner, given)) });
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    if (attribute.kind === 'reference') {
      const value = given.get(attribute.value);
      if (value !== undefined) attributes.set(name, value);
    } else if (attribute.kind === 'graph') attributes.set(name, { ...attribute, value: bindGraph(attribute.value) });
    else if (attribute.kind === 'graphs') attributes.set(name, { ...attribute, value: attribute.value.map(bindGraph) });
    else attributes.set(name, attribute);
  }
  return { ...node, attributes };
}
