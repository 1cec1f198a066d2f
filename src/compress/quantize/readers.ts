import { type Graph, type Node, readsOf } from '../../graph/index.ts';

/** Who gives and who reads the values of a graph. */
export interface Links {
  /** The node that gives a value. */
  readonly producerOf: (value: string) => Node | undefined;
  /** The nodes that read it, each once; subgraphs count. */
  readonly readersOf: (value: string) => readonly Node[];
  readonly isOutput: (value: string) => boolean;
}

export function linksOf(graph: Graph): Links {
  const producers = new Map<string, Node>();
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.outputs) producers.set(name, node);
    for (const name of new Set(readsOf(node))) {
      const list = readers.get(name);
      if (list === undefined) readers.set(name, [node]);
      else list.push(node);
    }
  }
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return {
    producerOf: (value) => producers.get(value),
    readersOf: (value) => readers.get(value) ?? [],
    isOutput: (value) => outputs.has(value),
  };
}
