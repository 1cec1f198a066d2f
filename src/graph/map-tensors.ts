import type { Attribute, FunctionDefinition, Graph, Model, Node, SparseTensor, StoredTensor } from './ir.ts';

type MapTensor = (tensor: StoredTensor) => StoredTensor;

/**
 * The model with every stored tensor replaced by what `map` makes of it: initializers, attributes and sparse tensors, in
 * subgraphs, functions and training graphs too. Whatever holds no changed tensor stays the same object.
 */
export function mapTensors(model: Model, map: MapTensor): Model {
  return changed(model, {
    graph: mapGraph(model.graph, map),
    functions: mapList(model.functions, (definition) => mapFunction(definition, map)),
    trainingInfo: mapList(model.trainingInfo, (info) =>
      changed(info, {
        ...(info.initialization && { initialization: mapGraph(info.initialization, map) }),
        ...(info.algorithm && { algorithm: mapGraph(info.algorithm, map) }),
      }),
    ),
  });
}

function mapGraph(graph: Graph, map: MapTensor): Graph {
  return changed(graph, {
    initializers: mapValues(graph.initializers, map),
    sparseInitializers: mapList(graph.sparseInitializers, (tensor) => mapSparse(tensor, map)),
    nodes: mapList(graph.nodes, (node) => mapNode(node, map)),
  });
}

function mapFunction(definition: FunctionDefinition, map: MapTensor): FunctionDefinition {
  return changed(definition, {
    nodes: mapList(definition.nodes, (node) => mapNode(node, map)),
    attributeDefaults: mapValues(definition.attributeDefaults, (attribute) => mapAttribute(attribute, map)),
  });
}

function mapNode(node: Node, map: MapTensor): Node {
  return changed(node, { attributes: mapValues(node.attributes, (attribute) => mapAttribute(attribute, map)) });
}

function mapSparse(tensor: SparseTensor, map: MapTensor): SparseTensor {
  return changed(tensor, { values: map(tensor.values), indices: map(tensor.indices) });
}

function mapAttribute(attribute: Attribute, map: MapTensor): Attribute {
  switch (attribute.kind) {
    case 'tensor':
      return changed(attribute, { value: map(attribute.value) });
    case 'tensors':
      return changed(attribute, { value: mapList(attribute.value, map) });
    case 'graph':
      return changed(attribute, { value: mapGraph(attribute.value, map) });
    case 'graphs':
      return changed(attribute, { value: mapList(attribute.value, (graph) => mapGraph(graph, map)) });
    case 'sparseTensor':
      return changed(attribute, { value: mapSparse(attribute.value, map) });
    case 'sparseTensors':
      return changed(attribute, { value: mapList(attribute.value, (tensor) => mapSparse(tensor, map)) });
    default:
      return attribute;
  }
}

function changed<T extends object>(before: T, parts: Partial<T>): T {
  const keys = Object.keys(parts) as (keyof T)[];
  return keys.every((key) => parts[key] === before[key]) ? before : { ...before, ...parts };
}

function mapList<T>(list: readonly T[], map: (item: T) => T): readonly T[] {
  let result: T[] | undefined;
  for (const [index, item] of list.entries()) {
    const mapped = map(item);
    if (mapped !== item) {
      result ??= [...list];
      result[index] = mapped;
    }
  }
  return result ?? list;
}

function mapValues<T>(values: ReadonlyMap<string, T>, map: (value: T) => T): ReadonlyMap<string, T> {
  let result: Map<string, T> | undefined;
  for (const [key, value] of values) {
    const mapped = map(value);
    if (mapped !== value) {
      result ??= new Map(values);
      result.set(key, mapped);
    }
  }
  return result ?? values;
}
