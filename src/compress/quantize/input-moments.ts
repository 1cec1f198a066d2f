import { float64Of, LatheError, type Tensor } from '../../base/index.ts';
import type { Model } from '../../graph/index.ts';
import { openSession } from '../../runtime/index.ts';
import { constantsOf, linearNode } from './linear-nodes.ts';
import { prepared } from './products.ts';

/**
 * The second moments of what the products with constant matrices read, by the name of the value: the sum of x·xᵀ over all rows
 * x [inputs] of all batches, [inputs, inputs]. The model runs in floats, so that the moments of a layer do not see the errors of
 * the layers before. Throws what openSession and a run throw.
 */
export async function inputMoments(
  given: Model,
  batches: Iterable<Readonly<Record<string, Tensor>>> | AsyncIterable<Readonly<Record<string, Tensor>>>,
  options: { readonly minimumElements?: number; readonly threads?: number } = {},
): Promise<ReadonlyMap<string, Float64Array>> {
  const { minimumElements = 4096, threads } = options;
  const model = prepared(given);
  const constant = constantsOf(model);
  const moments = new Map<string, { readonly inputs: number; readonly sums: Float64Array }>();
  for (const node of model.graph.nodes) {
    const linear = linearNode(node, constant);
    if (linear === undefined || linear.inputs * linear.outputs < minimumElements) continue;
    const { x, inputs } = linear;
    if (!moments.has(x)) moments.set(x, { inputs, sums: new Float64Array(inputs * inputs) });
  }
  const { graph } = model;
  const own = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  const shown = [...moments.keys()].filter((name) => !own.has(name));
  const outputs = [...graph.outputs, ...shown.map((name) => ({ name, type: FLOATS }))];
  const session = await openSession(
    { ...model, graph: { ...graph, outputs } },
    threads === undefined ? {} : { threads },
  );
  try {
    for await (const feeds of batches) {
      const values = await session.run(feeds, { outputs: [...moments.keys()].filter((name) => !(name in feeds)) });
      for (const [name, { inputs, sums }] of moments) add(sums, inputs, float64Of(feeds[name] ?? values[name]!));
    }
  } finally {
    await session.close();
  }
  return new Map(Array.from(moments, ([name, { sums }]) => [name, sums]));
}

const FLOATS = { kind: 'tensor', dtype: 'float32' } as const;

function add(sums: Float64Array, inputs: number, rows: Float64Array): void {
  if (rows.some((value) => !Number.isFinite(value))) {
    throw new LatheError('shape', 'the values that a product reads are not finite');
  }
  for (let from = 0; from < rows.length; from += inputs) {
    for (let row = 0; row < inputs; row++) {
      const value = rows[from + row]!;
      if (value === 0) continue;
      for (let column = 0; column < inputs; column++)
        sums[row * inputs + column] = sums[row * inputs + column]! + value * rows[from + column]!;
    }
  }
}
