import { formatDims, LatheError } from '../base/index.ts';
import type { Value } from '../graph/index.ts';
import type { Build } from './build.ts';
import { type Initialization, initialize } from './initialization.ts';

/**
 * A parameter of the model, under its name in the checkpoint: taken from `build.weights` where it is there, initialized
 * otherwise. Asked for again, it is the same one: that is how layers share parameters. Throws 'shape' when the given weight has other dimensions, and 'unsupported' when it is not float32.
 */
export function parameter(build: Build, name: string, dims: readonly number[], initialization: Initialization): Value {
  if (build.graph.initializers.has(name)) return name;
  const given = build.weights?.get(name);
  if (given === undefined) return build.graph.initializer(name, initialize(name, dims, initialization, build.seed));
  if (given.dims.length !== dims.length || given.dims.some((dim, axis) => dim !== dims[axis])) {
    throw new LatheError(
      'shape',
      `parameter "${name}": expected ${formatDims(dims)} from the configuration, got ${formatDims(given.dims)} in the weights`,
      { hint: 'Check that the weights belong to this config.json, or leave this parameter out to train it anew.' },
    );
  }
  if (given.dtype !== 'float32') {
    throw new LatheError('unsupported', `parameter "${name}": expected float32, got ${given.dtype}`, {
      hint: 'Convert the weights to float32 first.',
    });
  }
  return build.graph.initializer(name, given);
}
