import type { Graph, Model, Node } from '../ir.ts';
import { capturesOf, mapSubgraphs, readsOf } from '../reads.ts';
import { type Pass, resultOf } from './pass.ts';

/**
 * Removes nodes that no output depends on, and initializers that nothing reads, in subgraphs too. Graph inputs stay, as
 * do the initializers that give them a default: they are what callers see. What training information refers to stays.
 */
export const removeDeadNodes: Pass = (model) => {
  const graph = cleaned(model.graph, namesInTraining(model));
  return resultOf(model, graph === model.graph ? model : { ...model, graph });
};

function cleaned(given: Graph, alsoLive: Iterable<string>): Graph {
  const nodes = given.nodes.map((node) => mapSubgraphs(node, (graph) => cleaned(graph, [])));
  const producers = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const name of node.outputs) if (name !== '') producers.set(name, index);
  });
  const live = new Set<string>(alsoLive);
  for (const { name } of given.outputs) live.add(name);
  const kept = new Uint8Array(nodes.length);
  // A set that grows while it is walked: every value on the way to an output comes by once.
  for (const name of live) {
    const producer = producers.get(name);
    if (producer === undefined || kept[producer] === 1) continue;
    kept[producer] = 1;
    for (const read of readsOf(nodes[producer]!)) live.add(read);
  }
  const inputs = new Set(given.inputs.map(({ name }) => name));
  const produced = new Set<string>();
  const left: Node[] = nodes.filter((node, index) => {
    if (kept[index] === 1) for (const name of node.outputs) produced.add(name);
    return kept[index] === 1;
  });
  const stays = (name: string): boolean => live.has(name) || inputs.has(name);
  const initializers = [...given.initializers].filter(([name]) => stays(name));
  const sparse = given.sparseInitializers.filter(({ values }) => stays(values.name ?? ''));
  const same =
    left.length === given.nodes.length &&
    left.every((node, index) => node === given.nodes[index]) &&
    initializers.length === given.initializers.size &&
    sparse.length === given.sparseInitializers.length;
  if (same) return given;
  const exists = (name: string): boolean => stays(name) || produced.has(name);
  return {
    ...given,
    nodes: left,
    initializers: new Map(initializers),
    sparseInitializers: sparse,
    valueInfo: given.valueInfo.filter(({ name }) => exists(name)),
    quantizationAnnotations: given.quantizationAnnotations.filter(({ tensorName }) => exists(tensorName)),
  };
}

function namesInTraining(model: Model): Set<string> {
  const names = new Set<string>();
  for (const info of model.trainingInfo) {
    for (const [name] of [...info.initializationBinding, ...info.updateBinding]) names.add(name);
    if (info.algorithm !== undefined) for (const name of capturesOf(info.algorithm)) names.add(name);
  }
  return names;
}
