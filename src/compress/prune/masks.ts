import { LatheError, sizeOf } from '../../base/index.ts';
import { type Model, stored, tensorOf } from '../../graph/index.ts';

export type MaskOptions =
  /** The smallest weights of each matrix, as a share of them. */
  | { readonly share: number }
  /** In every run of `of` neighbours along what is summed over, all but the `keep` largest (2 of 4: `{ keep: 2, of: 4 }`). */
  | { readonly keep: number; readonly of: number };

export interface Masked {
  readonly model: Model;
  /** Weights that are zero now, and that could have been. */
  readonly zeros: number;
  readonly weights: number;
}

/**
 * The model with its smallest weights set to zero, in matrices and convolutions that `names` lists (default: all float32
 * weights of two dimensions or more). Shapes stay. This makes files smaller once they are compressed, and nothing faster: no
 * kernel of ONNX Runtime leaves out zeros. For speed, cut whole units. Throws 'usage' for shares that are none.
 */
export function maskWeights(model: Model, options: MaskOptions, names?: readonly string[]): Masked {
  const valid =
    'share' in options
      ? options.share >= 0 && options.share <= 1
      : Number.isInteger(options.keep) &&
        Number.isInteger(options.of) &&
        options.keep > 0 &&
        options.keep <= options.of;
  if (!valid) {
    throw new LatheError(
      'usage',
      `masks: expected a share from 0 to 1, or 0 < keep <= of, got ${JSON.stringify(options)}`,
    );
  }
  const initializers = new Map(model.graph.initializers);
  let zeros = 0;
  let weights = 0;
  for (const [name, value] of model.graph.initializers) {
    if (value.dtype !== 'float32' || value.dims.length < 2 || names?.includes(name) === false) continue;
    const data = Float32Array.from(tensorOf(value).data as Float32Array);
    if ('share' in options) zeroSmallest(data, range(0, data.length, 1), Math.floor(options.share * data.length));
    else zeroInRuns(data, value.dims, options);
    for (const element of data) if (element === 0) zeros++;
    weights += data.length;
    initializers.set(name, stored({ dtype: 'float32', dims: value.dims, data }, value.name));
  }
  return { model: { ...model, graph: { ...model.graph, initializers } }, zeros, weights };
}

/** Matrices sum over their rows (axis 0), convolutions over their input channels (axis 1). */
function zeroInRuns(data: Float32Array, dims: readonly number[], { keep, of }: { keep: number; of: number }): void {
  const axis = dims.length === 2 ? 0 : 1;
  const inner = sizeOf(dims.slice(axis + 1));
  const length = dims[axis]!;
  for (let outer = 0; outer < data.length / (length * inner); outer++) {
    for (let column = 0; column < inner; column++) {
      for (let from = 0; from + of <= length; from += of) {
        const places = range((outer * length + from) * inner + column, of, inner);
        zeroSmallest(data, places, of - keep);
      }
    }
  }
}

function range(from: number, count: number, step: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index * step);
}

function zeroSmallest(data: Float32Array, places: number[], count: number): void {
  places.sort((a, b) => Math.abs(data[a]!) - Math.abs(data[b]!) || a - b);
  for (const place of places.slice(0, count)) data[place] = 0;
}
