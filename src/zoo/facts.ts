import {
  CONTRIB_EXPANSIONS,
  formatType,
  type Graph,
  isKnownOperator,
  type Model,
  type Node,
  type StoredTensor,
  subgraphsOf,
  type ValueInfo,
} from '../graph/index.ts';

/** What an ONNX model is, as far as its graph says it. */
export interface ModelFacts {
  /** Name and type, as in `float32[batch,3,224,224]`. */
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  /** Version of each operator set by its domain; the standard one is `ai.onnx`. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Of the main graph. */
  readonly nodes: number;
  /** Stored numbers of floating-point types and of integers of 8 bits and less, in initializers and Constant nodes. */
  readonly parameters: number;
  /** Operators that Lathe has no rules for: they run, but are neither understood nor differentiated. */
  readonly unsupported: readonly string[];
}

export interface NamedType {
  readonly name: string;
  readonly type: string;
}

/** Reads the facts of a model; the data of its tensors need not be loaded. */
export function modelFacts(model: Model): ModelFacts {
  const { graph, functions } = model;
  const own = new Set(functions.map(({ domain, name }) => nameOf(domain, name)));
  const unsupported = new Set<string>();
  let parameters = 0;
  const count = ({ dtype, dims }: StoredTensor): void => {
    if (/^(?:b?float|u?int[248]$)/.test(dtype)) parameters += dims.reduce((size, extent) => size * extent, 1);
  };
  const visitNodes = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      const name = nameOf(node.domain, node.opType);
      if (!isKnownOperator(node) && !own.has(name) && !isExpanded(node)) unsupported.add(name);
      const value = node.opType === 'Constant' ? node.attributes.get('value') : undefined;
      if (value?.kind === 'tensor') count(value.value);
      for (const subgraph of subgraphsOf(node)) visit(subgraph);
    }
  };
  const visit = (inside: Graph): void => {
    for (const tensor of inside.initializers.values()) count(tensor);
    for (const { values } of inside.sparseInitializers) count(values);
    visitNodes(inside.nodes);
  };
  visit(graph);
  for (const { nodes } of functions) visitNodes(nodes);
  return {
    // Older models list their initializers among the inputs.
    inputs: graph.inputs.filter(({ name }) => !graph.initializers.has(name)).map(namedType),
    outputs: graph.outputs.map(namedType),
    opsets: Object.fromEntries(model.opsets.map(({ domain, version }) => [domain || 'ai.onnx', Number(version)])),
    nodes: graph.nodes.length,
    parameters,
    unsupported: [...unsupported].sort(),
  };
}

function namedType({ name, type }: ValueInfo): NamedType {
  return { name, type: type === undefined ? 'unknown' : formatType(type) };
}

function nameOf(domain: string, opType: string): string {
  return domain === '' ? opType : `${domain}.${opType}`;
}

function isExpanded({ domain, opType }: Node): boolean {
  return domain === 'com.microsoft' && Object.hasOwn(CONTRIB_EXPANSIONS, opType);
}
