import { LatheError } from '../base/errors.ts';
import { evaluateDimension } from './dimension.ts';
import type { Model, TensorType } from './ir.ts';

/** Sizes of symbolic dimensions by name. A dimension without a name goes by its place: `pixel_values[0]`. */
export type DimensionValues = Readonly<Record<string, number>>;

/**
 * The types of the model's inputs with every dimension a number. Initializers that are inputs as well keep their
 * defaults and are left out. Throws 'usage' for a dimension that no value was given for, and 'unsupported' for an input
 * that is no tensor.
 */
export function boundInputs({ graph }: Model, dims: DimensionValues): Record<string, TensorType & { shape: number[] }> {
  const bound: Record<string, TensorType & { shape: number[] }> = {};
  for (const { name, type } of graph.inputs) {
    if (graph.initializers.has(name)) continue;
    if (type?.kind !== 'tensor' || type.dtype === 'undefined' || type.shape === undefined)
      throw new LatheError('unsupported', `input "${name}" is no tensor of a known type and rank`);
    const shape = type.shape.map((dim, axis) => {
      const place = `${name}[${axis}]`;
      const known = dim === null || (typeof dim === 'number' && dim < 0) ? null : evaluateDimension(dim, dims);
      const value = known ?? (Object.hasOwn(dims, place) ? dims[place]! : null);
      if (value !== null) return value;
      const wanted = typeof dim === 'string' ? dim : place;
      throw new LatheError('usage', `input "${name}": no size is given for its dimension ${wanted}`, {
        hint: `Give a number for "${wanted}".`,
      });
    });
    bound[name] = { dtype: type.dtype, shape };
  }
  return bound;
}
