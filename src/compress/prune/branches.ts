import { LatheError, type Tensor } from '../../base/index.ts';
import {
  describeNode,
  equalDimensions,
  inferTypes,
  type Model,
  type Node,
  readsOf,
  removeDeadNodes,
  type Shape,
} from '../../graph/index.ts';
import { openSession } from '../../runtime/index.ts';
import type { ImportanceData } from './importance.ts';

/** A part of a network that a shortcut leads past: a block of a residual network, half a layer of a transformer. */
export interface ResidualBranch {
  /** The first output of the Add that joins both: what to name the branch by. */
  readonly name: string;
  /** What comes in, and would be all that comes out. */
  readonly shortcut: string;
  /** Nodes that would go. */
  readonly nodes: number;
}

/**
 * The additions of a value and of something computed from it, of the same shape: without the second, the first alone goes
 * on. In the order of the graph.
 */
export function residualBranches(model: Model): readonly ResidualBranch[] {
  const { graph } = model;
  const types = inferTypes(model);
  const shapeOf = (name: string): Shape | undefined => {
    const type = types.get(name)?.type;
    return type?.kind === 'tensor' ? type.shape : undefined;
  };
  const producers = producersOf(graph.nodes);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return graph.nodes.flatMap((node): ResidualBranch[] => {
    const [a, b] = node.inputs;
    const name = node.outputs[0]!;
    if (node.opType !== 'Add' || node.domain !== '' || outputs.has(name)) return [];
    if (graph.initializers.has(a!) || graph.initializers.has(b!)) return [];
    const shortcut = [a!, b!].find((own, side) => {
      const other = side === 0 ? b! : a!;
      return producers.has(own) && sameShape(shapeOf(own), shapeOf(name)) && reaches(other, own, producers);
    });
    if (shortcut === undefined) return [];
    const left = withoutNode(model, node, shortcut).graph.nodes.length;
    return [{ name, shortcut, nodes: graph.nodes.length - left }];
  });
}

/** The model with a shortcut in place of a branch. Throws 'not-found' for a branch that is none of the model's. */
export function withoutBranch(model: Model, { name, shortcut }: Pick<ResidualBranch, 'name' | 'shortcut'>): Model {
  const node = model.graph.nodes.find(({ outputs }) => outputs[0] === name);
  if (node === undefined || !node.inputs.includes(shortcut)) {
    throw new LatheError('not-found', `the model has no branch "${name}" past "${shortcut}"`);
  }
  return withoutNode(model, node, shortcut);
}

/** The loss on data without each branch: the lower, the less it is missed. */
export async function lossesWithout(
  model: Model,
  branches: readonly ResidualBranch[],
  { withLoss, batches, threads, onProgress }: ImportanceData,
): Promise<readonly number[]> {
  const kept: Readonly<Record<string, Tensor>>[] = [...batches];
  const losses: number[] = [];
  for (const branch of branches) {
    const session = await openSession(withLoss(withoutBranch(model, branch)), threads === undefined ? {} : { threads });
    try {
      let loss = 0;
      let weight = 0;
      for (const batch of kept) {
        const results = await session.run(batch, { outputs: ['loss', 'loss_weight'] });
        const own = Number(results.loss_weight!.data[0]);
        loss += Number(results.loss!.data[0]) * own;
        weight += own;
      }
      losses.push(weight === 0 ? 0 : loss / weight);
    } finally {
      await session.close();
    }
    onProgress?.(losses.length);
  }
  return losses;
}

/**
 * The model without `count` branches, one after the other: each time the one without which the loss on the data is least.
 * Throws 'unsupported' where it has fewer.
 */
export async function withoutBranches(
  model: Model,
  count: number,
  data: ImportanceData,
): Promise<{ readonly model: Model; readonly removed: readonly ResidualBranch[] }> {
  const removed: ResidualBranch[] = [];
  let left = model;
  while (removed.length < count) {
    const branches = residualBranches(left);
    if (branches.length === 0) {
      throw new LatheError(
        'unsupported',
        `the model has ${removed.length} residual branches, expected ${count} to remove`,
      );
    }
    const losses = await lossesWithout(left, branches, data);
    const least = branches[losses.indexOf(Math.min(...losses))]!;
    left = withoutBranch(left, least);
    removed.push(least);
  }
  return { model: left, removed };
}

function withoutNode(model: Model, node: Node, shortcut: string): Model {
  const name = node.outputs[0]!;
  const renamed = (value: string): string => (value === name ? shortcut : value);
  const nodes = model.graph.nodes
    .filter((other) => other !== node)
    .map((other) => {
      if (!readsOf(other).includes(name)) return other;
      if (!other.inputs.includes(name)) {
        throw new LatheError('unsupported', `${describeNode(other)} reads "${name}" inside, which cannot be led past`);
      }
      return { ...other, inputs: other.inputs.map(renamed) };
    });
  return removeDeadNodes({ ...model, graph: { ...model.graph, nodes } }).model;
}

function producersOf(nodes: readonly Node[]): ReadonlyMap<string, Node> {
  const producers = new Map<string, Node>();
  for (const node of nodes) for (const name of node.outputs) if (name !== '') producers.set(name, node);
  return producers;
}

/** Whether `from` is computed from `to`. */
function reaches(from: string, to: string, producers: ReadonlyMap<string, Node>): boolean {
  const seen = new Set([from]);
  // A set that grows while it is walked.
  for (const name of seen) {
    if (name === to) return true;
    const node = producers.get(name);
    if (node !== undefined) for (const read of readsOf(node)) seen.add(read);
  }
  return false;
}

function sameShape(a: Shape | undefined, b: Shape | undefined): boolean {
  return a !== undefined && a.length === b?.length && a.every((dim, axis) => equalDimensions(dim, b[axis]!));
}
