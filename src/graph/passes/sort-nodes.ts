import { LatheError } from '../../base/errors.ts';
import { describeNode } from '../attributes.ts';
import type { FunctionDefinition, Graph, Node } from '../ir.ts';
import { mapSubgraphs, readsOf } from '../reads.ts';
import { type Pass, resultOf } from './pass.ts';

/**
 * Puts the nodes of every graph and function in an order where each comes after those that it reads from. Nodes that are
 * in order already stay where they are. Throws `invalid-model` for a cycle, naming its nodes.
 */
export const sortNodes: Pass = (model) => {
  const graph = sortGraph(model.graph);
  const functions = model.functions.map(sortFunction);
  const same = graph === model.graph && functions.every((item, index) => item === model.functions[index]);
  return resultOf(model, same ? model : { ...model, graph, functions });
};

function sortGraph(graph: Graph): Graph {
  const nodes = sorted(graph.nodes, `graph "${graph.name}"`);
  return nodes === graph.nodes ? graph : { ...graph, nodes };
}

function sortFunction(definition: FunctionDefinition): FunctionDefinition {
  const nodes = sorted(definition.nodes, `function "${definition.name}"`);
  return nodes === definition.nodes ? definition : { ...definition, nodes };
}

/** Depth-first from each node in turn, so that a node moves only in front of what needs it. No recursion: chains are long. */
function sorted(given: readonly Node[], where: string): readonly Node[] {
  const nodes = given.map((node) => mapSubgraphs(node, sortGraph));
  const producers = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const name of node.outputs) if (name !== '') producers.set(name, index);
  });
  const UNSEEN = 0;
  const OPEN = 1;
  const DONE = 2;
  const state = new Uint8Array(nodes.length);
  const order: Node[] = [];
  const path: { readonly index: number; readonly reads: readonly string[]; next: number }[] = [];
  const enter = (index: number): void => {
    state[index] = OPEN;
    path.push({ index, reads: readsOf(nodes[index]!), next: 0 });
  };
  for (let start = 0; start < nodes.length; start++) {
    if (state[start] === UNSEEN) enter(start);
    while (path.length > 0) {
      const top = path.at(-1)!;
      const name = top.reads[top.next++];
      if (name === undefined) {
        state[top.index] = DONE;
        order.push(nodes[top.index]!);
        path.pop();
        continue;
      }
      const producer = producers.get(name);
      if (producer === undefined || state[producer] === DONE) continue;
      if (state[producer] === OPEN) throw cycleError(path, producer, nodes, where);
      enter(producer);
    }
  }
  return order.every((node, index) => node === given[index]) ? given : order;
}

function cycleError(
  path: readonly { readonly index: number }[],
  producer: number,
  nodes: readonly Node[],
  where: string,
): LatheError {
  const from = path.findIndex(({ index }) => index === producer);
  // The path runs from readers to what they read; data flows the other way.
  const [first, ...rest] = path.slice(from).map(({ index }) => describeNode(nodes[index]!));
  const cycle = [first, ...rest.reverse()];
  const shown = cycle.length > 8 ? [...cycle.slice(0, 4), `… ${cycle.length - 7} more …`, ...cycle.slice(-3)] : cycle;
  return new LatheError('invalid-model', `${where} has a cycle: ${[...shown, shown[0]].join(' → ')}`, {
    hint: 'Every node must read only from nodes that do not depend on it.',
  });
}
