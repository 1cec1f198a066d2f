import { fewestLeft, type Sensitivity, sensitivityOf } from '../../compress/index.ts';
import type { Model } from '../../graph/index.ts';
import { evaluateModel } from '../evaluation.ts';
import type { PackageLearning } from '../package-learning.ts';
import type { Terminal } from '../terminal.ts';
import { measureScore, percent } from './measure-variant.ts';
import type { QuantizationScheme, SchemeOptions } from './schemes.ts';
import { batchesOf } from './trial-feeds.ts';

type Made = Awaited<ReturnType<QuantizationScheme['quantize']>>;

/** A quantized model, and the nodes that stay floats so that it keeps its budget. */
export interface WithinBudget {
  readonly quantized: Made;
  readonly floats: readonly Sensitivity[];
}

/** Examples that sensitivity is measured on. */
const TRIED = 32;

/**
 * Quantizes all that there is where that keeps the budget on the validation split. Otherwise the nodes that change the outputs
 * most go back to floats, as few as do. Where even that does not help, everything is quantized: the caller measures it.
 */
export async function quantizeWithinBudget(
  scheme: QuantizationScheme,
  model: Model,
  options: Omit<SchemeOptions, 'except'>,
  learning: PackageLearning,
  budget: number,
  terminal: Terminal,
): Promise<WithinBudget> {
  const seed = learning.package.manifest.lineage.seed;
  const whole = await scheme.quantize(model, { ...options, except: new Set() });
  if (!whole.changed) return { quantized: whole, floats: [] };
  const source = await evaluateModel(model, learning, learning.splits.validation, 'validation');
  const keptBy = async ({ model: made }: Made): Promise<number> =>
    (await measureScore(source, made, learning, 'validation', seed)).kept;
  const kept = await keptBy(whole);
  if (kept >= budget) return { quantized: whole, floats: [] };
  terminal.say(
    `All in fewer bits keeps ${percent(kept)} on the validation split: the most sensitive go back to floats.`,
  );
  const nodes = whole.quantized;
  const { ranges } = whole;
  const without = (except: ReadonlySet<string>): Promise<Made> =>
    scheme.quantize(model, { ...options, except, ...(ranges && { ranges }) });
  const [feeds] = await batchesOf(learning, learning.splits.validation.slice(0, TRIED), TRIED);
  const progress = terminal.progress('measuring the sensitivity of nodes');
  const order = await sensitivityOf(
    model,
    nodes,
    async (node) => (await without(new Set(nodes.filter((other) => other !== node)))).model,
    feeds!,
    { onProgress: (done, total) => progress.update(done, total), signal: terminal.signal },
  );
  progress.done();
  const trying = terminal.progress('leaving nodes as floats');
  let tries = 0;
  const found = await fewestLeft(
    order.map(({ node }) => node),
    async (left) => {
      trying.update(++tries, undefined, `${left.size} of ${nodes.length}`);
      const made = left.size === 0 ? whole : await without(left);
      return { holds: left.size > 0 && (await keptBy(made)) >= budget, result: made };
    },
  );
  trying.done();
  if (found === undefined) return { quantized: whole, floats: [] };
  return { quantized: found.result, floats: order.slice(0, found.left.length) };
}
