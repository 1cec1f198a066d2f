import { LatheError, type Tensor } from '../base/index.ts';
import { describeNode, type Model } from '../graph/index.ts';
import { openSession } from '../runtime/index.ts';

/**
 * Repeats a step's forward pass with every value in sight and names the first that is not finite. `model` is the forward
 * model with its parameters as initializers or in `feeds`. Undefined when all are finite: then the gradient overflowed.
 */
export async function firstNonFinite(
  model: Model,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<string | undefined> {
  for (const [name, value] of Object.entries(feeds)) {
    if (hasNonFinite(value)) return `the input "${name}"`;
  }
  const values = model.graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''));
  const session = await openSession(
    { ...model, graph: { ...model.graph, outputs: values.map((name) => ({ name })) } },
    { optimization: 'disabled' },
  );
  try {
    const used = Object.fromEntries(Object.entries(feeds).filter(([name]) => session.inputs.has(name)));
    const results = await session.run(used);
    for (const node of model.graph.nodes) {
      for (const name of node.outputs) {
        const value = results[name];
        if (value !== undefined && hasNonFinite(value)) return `"${name}", from ${describeNode(node)}`;
      }
    }
    return undefined;
  } finally {
    await session.close();
  }
}

export function divergedError(step: number, what: string, where: string | undefined): LatheError {
  return new LatheError(
    'diverged',
    `step ${step}: ${what}; ${where === undefined ? 'every value of the forward pass is finite, so the gradient overflowed' : `the first value that is not finite is ${where}`}`,
    {
      hint: 'Try a lower --learning-rate or a longer --warmup, and look for extreme values in the data. The best checkpoint so far is kept.',
    },
  );
}

function hasNonFinite({ data, dtype }: Tensor): boolean {
  if (dtype !== 'float32' && dtype !== 'float64') return false;
  for (const value of data as Float32Array) if (!Number.isFinite(value)) return true;
  return false;
}
