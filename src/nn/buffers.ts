import { LatheError } from '../base/index.ts';
import type { Model, ValueInfo } from '../graph/index.ts';

/**
 * State of a model that training changes without a gradient, as running statistics: the initializer `name`, and the output
 * of the training form that gives its value after a step. Float32, both of one shape.
 */
export interface BufferUpdate {
  readonly name: string;
  readonly next: string;
}

/** Where an output's metadata names the initializer that it is the next value of. */
export const BUFFER_KEY = 'lathe.buffer';

/** Marks an output of a training form as the next value of the initializer `name`. */
export function asBufferUpdate(output: ValueInfo, name: string): ValueInfo {
  return { ...output, metadata: new Map([...(output.metadata ?? []), [BUFFER_KEY, name]]) };
}

/**
 * The buffers that a training form updates, in the order of its outputs; none for an inference form. Throws
 * 'invalid-model' when one has no initializer, or two updates.
 */
export function bufferUpdates({ graph }: Model): BufferUpdate[] {
  const updates = graph.outputs.flatMap(({ name: next, metadata }) => {
    const name = metadata?.get(BUFFER_KEY);
    return name === undefined ? [] : [{ name, next }];
  });
  const seen = new Set<string>();
  for (const { name, next } of updates) {
    const initializer = graph.initializers.get(name);
    if (initializer?.dtype !== 'float32') {
      throw new LatheError(
        'invalid-model',
        `output "${next}" should update the float32 initializer "${name}", the model has ${initializer === undefined ? 'none of that name' : `${initializer.dtype}`}`,
      );
    }
    if (seen.has(name)) throw new LatheError('invalid-model', `two outputs update "${name}", "${next}" is the second`);
    seen.add(name);
  }
  return updates;
}
