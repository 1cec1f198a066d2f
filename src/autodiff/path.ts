import { describeNode, type Graph, type Node, readsOf } from '../graph/index.ts';

/**
 * The nodes of a shortest way through `through`, from one of the wanted values to `of`. For messages alone: called once,
 * when a gradient cannot be built.
 */
export function dependencyPath(
  graph: Graph,
  through: Node,
  active: ReadonlySet<string>,
  wanted: readonly string[],
  of: string,
): { readonly from: string; readonly nodes: readonly Node[] } {
  const producers = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.outputs) producers.set(name, node);
    for (const name of new Set(readsOf(node))) {
      const list = consumers.get(name);
      if (list === undefined) consumers.set(name, [node]);
      else list.push(node);
    }
  }
  const activeReads = (node: Node): readonly string[] => readsOf(node).filter((name) => active.has(name));
  const starts = new Set(wanted);
  const before = search(
    through,
    (node) => activeReads(node).some((name) => starts.has(name)),
    (node) => activeReads(node).flatMap((name) => producers.get(name) ?? []),
  );
  const after = search(
    through,
    (node) => node.outputs.includes(of),
    (node) => node.outputs.flatMap((name) => consumers.get(name) ?? []),
  );
  const first = before.at(-1)!;
  return {
    from: activeReads(first).find((name) => starts.has(name)) ?? wanted[0]!,
    nodes: [...before.toReversed(), ...after.slice(1)],
  };
}

/** `"x" -> Conv "conv1" -> … -> "loss"`: long paths are cut in the middle, around the node that matters. */
export function describePath(from: string, nodes: readonly Node[], through: Node, of: string): string {
  const index = nodes.indexOf(through);
  const shown = new Set([0, nodes.length - 1, index - 1, index, index + 1]);
  const parts: string[] = [];
  for (const [position, node] of nodes.entries()) {
    if (shown.has(position)) parts.push(describeNode(node));
    else if (parts.at(-1) !== '...') parts.push('...');
  }
  return [`"${from}"`, ...parts, `"${of}"`].join(' -> ');
}

/** Breadth first, from `start` to the first node that is a goal. */
function search(start: Node, isGoal: (node: Node) => boolean, next: (node: Node) => readonly Node[]): readonly Node[] {
  const cameFrom = new Map<Node, Node | undefined>([[start, undefined]]);
  const queue = [start];
  for (let index = 0; index < queue.length; index++) {
    const node = queue[index]!;
    if (isGoal(node)) {
      const path: Node[] = [];
      for (let step: Node | undefined = node; step !== undefined; step = cameFrom.get(step)) path.push(step);
      return path.reverse();
    }
    for (const neighbour of next(node)) {
      if (cameFrom.has(neighbour)) continue;
      cameFrom.set(neighbour, node);
      queue.push(neighbour);
    }
  }
  return [start];
}
