import { LatheError, type Tensor } from '../base/index.ts';
import {
  bucketedBatches,
  type Column,
  gatherBatch,
  lengthsOf,
  type TensorDataset,
  tensorDataset,
} from '../data/index.ts';
import {
  formatType,
  inferTypes,
  type Model,
  type Node,
  readsOf,
  removeDeadNodes,
  type TensorType,
  tensorInfo,
  type ValueType,
} from '../graph/index.ts';
import { openSession, type SessionOptions } from '../runtime/index.ts';

/** A model in two: what training leaves as it is, and what reads from it. */
export interface Cut {
  /** From the inputs of the model to `features`. */
  readonly frozen: Model;
  /** From `features`, and inputs that it reads itself, to the outputs that depend on trained parameters. */
  readonly rest: Model;
  /** The values in between: a row of fixed size an example. */
  readonly features: readonly string[];
}

/**
 * Cuts an inference form before the first nodes that depend on the parameters `trained`. Names stay, so that values that
 * training gives the rest are values of the whole. Throws LatheError('unsupported') where what is to be kept has no fixed
 * size for an example (states of every token), and where nothing would be left in front.
 */
export function cutFrozenPart(model: Model, trained: readonly string[]): Cut {
  const { graph } = model;
  const types = inferTypes(model);
  const dependent = reachedFrom(graph.nodes, trained);
  const varying = reachedFrom(
    graph.nodes,
    graph.inputs.map(({ name }) => name),
  );
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const kept = new Set(graph.nodes.filter((node) => node.outputs.some((name) => dependent.has(name))));
  const features = new Set<string>();
  const read = new Set<string>();
  const visit = (node: Node): void => {
    for (const name of readsOf(node)) {
      const producer = producers.get(name);
      if (read.has(name) || dependent.has(name)) continue;
      read.add(name);
      if (producer === undefined) continue;
      const type = types.get(name)?.type;
      if (varying.has(name) && isRow(type)) features.add(name);
      else if (varying.has(name) && (type?.kind !== 'tensor' || /float|double/.test(type.dtype))) {
        throw new LatheError(
          'unsupported',
          `"${name}" ${type === undefined ? 'has no known type' : `is ${formatType(type)}`}: what the trained part reads should be a row of fixed size an example, to be kept`,
        );
      } else {
        // Shapes and masks are computed anew, and so is what follows from constants.
        kept.add(producer);
        visit(producer);
      }
    }
  };
  for (const node of [...kept]) visit(node);
  const inputs = graph.inputs.filter(({ name }) => read.has(name));
  const outputs = graph.outputs.filter(({ name }) => dependent.has(name));
  if (features.size === 0 || outputs.length === 0) {
    throw new LatheError('unsupported', `no part of the model comes before what is trained (${trained.join(', ')})`);
  }
  const infos = [...features].map((name) => tensorInfo(name, types.get(name)!.type as TensorType));
  const part = (more: Partial<Model['graph']>): Model =>
    removeDeadNodes({ ...model, graph: { ...graph, valueInfo: [], ...more } }).model;
  return {
    frozen: part({ outputs: infos }),
    rest: part({ nodes: graph.nodes.filter((node) => kept.has(node)), inputs: [...infos, ...inputs], outputs }),
    features: [...features],
  };
}

/**
 * The data set of a cut's rest: the features of every example, computed once by the frozen part with its weights as
 * constants, and of the other columns those that are no inputs of the frozen part alone. Needs `size` × the size of a row
 * in memory. Throws LatheError('unsupported') where the frozen part gives no row an example.
 */
export async function keepFeatures(
  { frozen, rest, features }: Cut,
  dataset: TensorDataset,
  options: {
    readonly batchSize?: number;
    readonly session?: SessionOptions;
    readonly signal?: AbortSignal;
    readonly onProgress?: (done: number, total: number) => void;
  } = {},
): Promise<TensorDataset> {
  const { batchSize = 32, session: sessionOptions, signal, onProgress } = options;
  const inputs = new Set(frozen.graph.inputs.map(({ name }) => name));
  const session = await openSession(frozen, sessionOptions);
  const rows = new Map<string, { readonly values: Float32Array; readonly dims: readonly number[] }>();
  try {
    let done = 0;
    const lengths = lengthsOf(dataset);
    for (const indices of bucketedBatches({ lengths, batchSize, seed: 0, epoch: 0, shuffle: false })) {
      signal?.throwIfAborted();
      const batch = Object.entries(gatherBatch(dataset, indices)).filter(([name]) => inputs.has(name));
      const results = await session.run(Object.fromEntries(batch), { outputs: features });
      for (const name of features) {
        const { dims, width, data } = rowsOf(name, results[name]!, indices.length);
        let kept = rows.get(name);
        if (kept === undefined) {
          kept = { values: new Float32Array(dataset.size * width), dims };
          rows.set(name, kept);
        }
        if (kept.dims.join() !== dims.join()) throw rowError(name, results[name]!, indices.length);
        for (const [place, index] of indices.entries())
          kept.values.set(data.subarray(place * width, (place + 1) * width), index * width);
      }
      done += indices.length;
      onProgress?.(done, dataset.size);
      // The event loop is blocked while the model runs.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    await session.close();
  }
  const wanted = new Set(rest.graph.inputs.map(({ name }) => name));
  const columns = Object.entries(dataset.columns).filter(([name]) => wanted.has(name) || !inputs.has(name));
  const computed = [...rows].map(
    ([name, { values, dims }]) => [name, { kind: 'fixed', values, dims, dtype: 'float32' } satisfies Column] as const,
  );
  return tensorDataset({ ...Object.fromEntries(computed), ...Object.fromEntries(columns) });
}

function rowsOf(name: string, value: Tensor, examples: number) {
  if (value.dtype !== 'float32' || value.dims[0] !== examples) throw rowError(name, value, examples);
  const data = value.data as Float32Array;
  return { dims: value.dims.slice(1), width: data.length / examples, data };
}

function rowError(name: string, { dtype, dims }: Tensor, examples: number): LatheError {
  return new LatheError(
    'unsupported',
    `"${name}" should have a row of the same size for each of ${examples} examples, got ${dtype} [${dims.join(', ')}]`,
  );
}

/** A batch of rows whose size is known. */
function isRow(type: ValueType | undefined): boolean {
  if (type?.kind !== 'tensor' || type.dtype !== 'float32' || type.shape === undefined) return false;
  const [batch, ...row] = type.shape;
  return batch !== undefined && typeof batch !== 'number' && row.every((dim) => typeof dim === 'number');
}

/** The values that depend on any of `names`, with these. */
function reachedFrom(nodes: readonly Node[], names: readonly string[]): ReadonlySet<string> {
  const reached = new Set(names);
  for (const node of nodes) {
    if (readsOf(node).some((name) => reached.has(name))) for (const name of node.outputs) reached.add(name);
  }
  return reached;
}
