import type { Tensor } from '../base/index.ts';
import type { GraphBuilder } from '../graph/index.ts';

/**
 * What a layer needs to add itself to a graph. Layers are functions `(build, x, name, options) => value`, where `name` is
 * the layer's place in the checkpoint (`bert.encoder.layer.0.attention.self.query`).
 */
export interface Build {
  readonly graph: GraphBuilder;
  /** In the training form, dropout is part of the graph. */
  readonly form: 'inference' | 'training';
  readonly seed: number;
  /** Parameters that are known already, by name; the others are initialized. */
  readonly weights?: ParameterSource;
}

/** Where parameters come from, by name: a map, or what reads them when they are asked for. */
export type ParameterSource = Pick<ReadonlyMap<string, Tensor>, 'get'>;
