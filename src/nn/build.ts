import type { Tensor } from '../base/index.ts';
import { DEFAULT_IR_VERSION, DEFAULT_OPSET, type GraphBuilder } from '../graph/index.ts';

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
  readonly weights?: ReadonlyMap<string, Tensor>;
}

/** The first operator set with Gelu, and the file format that goes with it. */
export const GELU_OPSET = 20;
const GELU_IR_VERSION = 9;

/** A model to keep is written for every runtime; one to train may use operators that spare passes over memory. */
export const VERSIONS: Readonly<Record<Build['form'], { readonly opset: number; readonly irVersion: number }>> = {
  inference: { opset: DEFAULT_OPSET, irVersion: DEFAULT_IR_VERSION },
  training: { opset: GELU_OPSET, irVersion: GELU_IR_VERSION },
};
