import type { Model } from '../../graph/index.ts';
import { type ChooseOptions, chooseUnits } from './choose.ts';
import { cut } from './cut.ts';
import type { Dependencies } from './dependencies.ts';
import type { Scores } from './importance.ts';

export interface Reached {
  readonly model: Model;
  /** What it costs; above what was asked for where nothing more can be cut. */
  readonly cost: number;
  readonly units: number;
}

/** Halvings of the share that is cut: 2⁻⁹ of what can be. */
const HALVINGS = 9;

/**
 * Cuts the least important units until the model costs no more than `most`, and no more units than that takes. `costOf`
 * says what a model costs: its parameters, its operations, or its time.
 */
export async function cutTo(
  dependencies: Dependencies,
  scores: Scores,
  most: number,
  costOf: (model: Model) => number | Promise<number>,
  options: ChooseOptions = {},
): Promise<Reached> {
  const at = async (share: number): Promise<Reached> => {
    const removals = chooseUnits(dependencies, scores, share, options);
    const model = cut(dependencies, removals);
    return { model, cost: await costOf(model), units: removals.reduce((sum, { units }) => sum + units.length, 0) };
  };
  const none = await at(0);
  if (none.cost <= most) return none;
  let best = await at(1);
  if (best.cost > most) return best;
  let [low, high] = [0, 1];
  for (let step = 0; step < HALVINGS; step++) {
    const share = (low + high) / 2;
    const found = await at(share);
    if (found.cost <= most) [best, high] = [found, share];
    else low = share;
  }
  return best;
}
