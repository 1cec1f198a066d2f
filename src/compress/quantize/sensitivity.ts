import { float64Of, type Tensor } from '../../base/index.ts';
import type { Model } from '../../graph/index.ts';
import { openSession } from '../../runtime/index.ts';

type Feeds = Readonly<Record<string, Tensor>>;

/** What a model's outputs lose when one node of it alone is quantized. */
export interface Sensitivity {
  /** The first output of the node. */
  readonly node: string;
  /** The squared difference of all outputs, as a share of their squares. */
  readonly error: number;
}

/**
 * How much each node's quantization changes the outputs, the most sensitive first. `only` gives the model with that node
 * quantized and everything else as it is.
 */
export async function sensitivityOf(
  model: Model,
  nodes: readonly string[],
  only: (node: string) => Promise<Model>,
  feeds: Feeds,
  options: { readonly onProgress?: (done: number, total: number) => void; readonly signal?: AbortSignal } = {},
): Promise<readonly Sensitivity[]> {
  const expected = await outputsOf(model, feeds);
  const found: Sensitivity[] = [];
  for (const node of nodes) {
    options.signal?.throwIfAborted();
    found.push({ node, error: distance(expected, await outputsOf(await only(node), feeds)) });
    options.onProgress?.(found.length, nodes.length);
  }
  // Equal ones keep the order of the graph.
  return found.sort((one, other) => other.error - one.error);
}

async function outputsOf(model: Model, feeds: Feeds): Promise<Readonly<Record<string, Tensor>>> {
  const session = await openSession(model);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

function distance(expected: Readonly<Record<string, Tensor>>, given: Readonly<Record<string, Tensor>>): number {
  let [difference, size] = [0, 0];
  for (const [name, value] of Object.entries(expected)) {
    const other = float64Of(given[name]!);
    for (const [at, element] of float64Of(value).entries()) {
      difference += (other[at]! - element) ** 2;
      size += element ** 2;
    }
  }
  return size === 0 ? difference : difference / size;
}

/**
 * The fewest of the first of a list that have to be left for something to hold: tried with none, one, two, four, … of them, then between the last
 * that failed and the first that held. Undefined when it does not hold even with all of them left but one.
 */
export async function fewestLeft<Result>(
  order: readonly string[],
  attempt: (left: ReadonlySet<string>) => Promise<{ readonly holds: boolean; readonly result: Result }>,
): Promise<{ readonly left: readonly string[]; readonly result: Result } | undefined> {
  const at = async (count: number) => {
    const left = order.slice(0, count);
    return { left, ...(await attempt(new Set(left))) };
  };
  const most = order.length - 1;
  let failed = -1;
  let held: Awaited<ReturnType<typeof at>> | undefined;
  for (let count = 0; held === undefined && failed < most; count = Math.min(most, Math.max(1, 2 * count))) {
    const tried = await at(count);
    if (tried.holds) held = tried;
    else failed = count;
  }
  if (held === undefined) return undefined;
  while (held.left.length - failed > 1) {
    const tried = await at((held.left.length + failed) >> 1);
    if (tried.holds) held = tried;
    else failed = tried.left.length;
  }
  return { left: held.left, result: held.result };
}
