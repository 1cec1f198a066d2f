import { GraphBuilder, type Model } from '../../graph/index.ts';
import type { Optimizer } from './optimizer.ts';

export interface UpdateModel {
  /**
   * Inputs: `parameter`, `gradient` and the state, all of `elements`, and the scalars of the step with `gradient_scale`,
   * which the gradient is multiplied by.
   */
  readonly model: Model;
  /** Each output, by the input whose next value it is. */
  readonly into: Readonly<Record<string, string>>;
}

/** An optimizer's update of one parameter as a model by itself, for a kernel to run in place. */
export function updateModel(
  optimizer: Optimizer,
  { decays, dtype = 'float32' }: { readonly decays: boolean; readonly dtype?: 'float32' | 'float64' },
): UpdateModel {
  const b = new GraphBuilder();
  const elements = { dtype, shape: ['elements'] } as const;
  const tensorInput = (name: string): string => b.input(name, dtype, elements.shape);
  const scalarInput = (name: string): string => b.input(name, dtype, []);
  const parameter = tensorInput('parameter');
  const gradient = tensorInput('gradient');
  const state = Object.fromEntries(optimizer.state.map((name) => [name, tensorInput(name)]));
  const scale = scalarInput('gradient_scale');
  const updated = optimizer.update(b, {
    parameter,
    gradient: b.mul(gradient, scale),
    state,
    scalars: Object.fromEntries(optimizer.scalars.map((name) => [name, scalarInput(name)])),
    decays,
    dtype,
  });
  const into = new Map([[updated.parameter, parameter]]);
  for (const [name, value] of Object.entries(updated.state)) into.set(value, name);
  for (const value of into.keys()) b.output(value, elements);
  return { model: b.build({ name: `${optimizer.name}_update` }), into: Object.fromEntries(into) };
}
