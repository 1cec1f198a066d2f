import type { Attribute, FunctionDefinition, Model, Node, OperatorSet } from './ir.ts';
import { mapSubgraphs } from './reads.ts';

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

/** The body of a function as one call sees it. */
export interface FunctionBody {
  /** The values of the body that stand for those of the call, where it gives them. */
  readonly inputs: readonly { readonly name: string; readonly given: string }[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly string[];
  /** Undefined where the function has none of its own: those of the caller. */
  readonly opsets: readonly OperatorSet[] | undefined;
}

/**
 * The body with references to attributes replaced by what the call gives, or the defaults; an optional input that the
 * call leaves out is left out inside as well.
 */
export function bodyOf(definition: FunctionDefinition, call: Node): FunctionBody {
  const given = new Map([...definition.attributeDefaults, ...call.attributes]);
  const inputs = definition.inputs.map((name, index) => ({ name, given: call.inputs[index] ?? '' }));
  const missing = new Set(inputs.filter((input) => input.given === '').map(({ name }) => name));
  const known = (given: Node): Node => {
    const node = mapSubgraphs(given, (graph) => ({ ...graph, nodes: graph.nodes.map(known) }));
    return node.inputs.some((name) => missing.has(name))
      ? { ...node, inputs: node.inputs.map((name) => (missing.has(name) ? '' : name)) }
      : node;
  };
  return {
    inputs: inputs.filter((input) => input.given !== ''),
    nodes: definition.nodes.map((node) => bind(known(node), given)),
    outputs: definition.outputs,
    opsets: definition.opsets.length === 0 ? undefined : definition.opsets,
  };
}

function bind(node: Node, given: ReadonlyMap<string, Attribute>): Node {
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const value = attribute.kind === 'reference' ? given.get(attribute.value) : attribute;
    if (value !== undefined) attributes.set(name, value);
  }
  return mapSubgraphs({ ...node, attributes }, (graph) => ({
    ...graph,
    nodes: graph.nodes.map((inner) => bind(inner, given)),
  }));
}
