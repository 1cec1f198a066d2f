import type { GraphBuilder, Value } from '../../graph/index.ts';

/**
 * An optimizer emits its update as graph nodes; it holds nothing itself. State goes in and comes out: each parameter
 * has named state tensors of the parameter's shape (`init`, all zeros), and the numbers that change from step to step
 * (`scalars`) are computed on the host and fed.
 */
export interface Optimizer {
  readonly name: string;
  /** For the run's record. */
  readonly settings: Readonly<Record<string, number | boolean>>;
  /** Names of the state tensors that each parameter has. All start as zeros of the parameter's shape. */
  readonly state: readonly string[];
  /** Names of the scalars of a step. */
  readonly scalars: readonly string[];
  /** Their values for step `step` (counted from 1) at this learning rate. */
  readonly scalarValues: (step: number, learningRate: number) => Readonly<Record<string, number>>;
  /** Emits the update of one parameter. */
  readonly update: (
    b: GraphBuilder,
    parameter: ParameterUpdate,
  ) => { readonly parameter: Value; readonly state: Readonly<Record<string, Value>> };
}

export interface ParameterUpdate {
  readonly parameter: Value;
  /** Already clipped. */
  readonly gradient: Value;
  readonly state: Readonly<Record<string, Value>>;
  readonly scalars: Readonly<Record<string, Value>>;
  /** False for biases and normalization scales, which weight decay leaves alone. */
  readonly decays: boolean;
  readonly dtype: 'float32' | 'float64';
}
