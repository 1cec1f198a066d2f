import { deriveSeed, LatheError, sizeOf, type Tensor, tensor } from '../base/index.ts';
import { evaluateShape, formatShape, type Model, type Shape } from '../graph/index.ts';
import { fillRandomWords } from './random-words.ts';

/** An input of a training form that takes a dropout mask: float32, 0 or 1 / (1 − probability). */
export interface DropoutMask {
  readonly name: string;
  /** Numbers, and products of the names of dimensions: `batch*sequence`. */
  readonly shape: Shape;
  readonly probability: number;
}

/** Where an input's metadata keeps its probability. */
export const PROBABILITY_KEY = 'lathe.dropout.probability';

/** The dropout masks that a model takes as inputs, in the order of its inputs; none for an inference form. */
export function dropoutMasks(model: Model): DropoutMask[] {
  return model.graph.inputs.flatMap(({ name, type, metadata }) => {
    const probability = metadata?.get(PROBABILITY_KEY);
    if (probability === undefined || type?.kind !== 'tensor' || type.shape === undefined) return [];
    return [{ name, shape: type.shape, probability: Number(probability) }];
  });
}

/** Makes the masks of one step, given the sizes of the named dimensions (`batch`, `sequence`). */
export type MaskSource = (step: number, sizes: Readonly<Record<string, number>>) => Map<string, Tensor>;

/** Windows begin at multiples of this many elements, a cache line of 64 bytes. */
const ALIGNMENT = 16;
/** Beginnings lie within this many elements, whatever the size of a mask: 262,144 different windows. */
const SPAN = 1 << 22;
const BLOCK = 1 << 16;

/**
 * Makes dropout masks that depend on `seed`, the step and the mask's name alone, so that a resumed run repeats an
 * uninterrupted one bit for bit. A mask is a window, at a random place, into one long row of random numbers a
 * probability: elements of one mask are independent of each other, and windows of different masks and steps are as good
 * as unrelated, while a step costs nothing but the choice of its windows. The tensors are views: read them, never write.
 *
 * The function returned throws 'usage' when a dimension that a mask needs has no size.
 */
export function maskSource(masks: readonly DropoutMask[], options: { readonly seed: number }): MaskSource {
  const rows = new Map<number, Float32Array>();
  return (step, sizes) => {
    const wanted = masks.map((mask) => {
      const dims = dimsOf(mask, sizes);
      return { mask, dims, length: sizeOf(dims) };
    });
    for (const { mask, length } of wanted) {
      const row = rows.get(mask.probability);
      if (row === undefined || row.length < SPAN + length) {
        rows.set(mask.probability, randomRow(mask.probability, SPAN + length, options.seed, row));
      }
    }
    return new Map(
      wanted.map(({ mask, dims, length }) => {
        const start = (deriveSeed(options.seed, 'dropout', mask.name, step) % (SPAN / ALIGNMENT)) * ALIGNMENT;
        return [
          mask.name,
          tensor('float32', dims, rows.get(mask.probability)!.subarray(start, start + length)),
        ] as const;
      }),
    );
  };
}

/** A row of at least `length` elements, beginning as `known` does: each block has a seed of its own. */
function randomRow(
  probability: number,
  length: number,
  seed: number,
  known: Float32Array = new Float32Array(0),
): Float32Array {
  const row = new Float32Array(Math.ceil(length / BLOCK) * BLOCK);
  row.set(known);
  const words = new Uint32Array(BLOCK);
  const threshold = Math.round(probability * 2 ** 32);
  const kept = 1 / (1 - probability);
  for (let start = known.length; start < row.length; start += BLOCK) {
    fillRandomWords(words, deriveSeed(seed, 'dropout', probability, start));
    for (let index = 0; index < BLOCK; index++) row[start + index] = words[index]! < threshold ? 0 : kept;
  }
  return row;
}

function dimsOf(mask: DropoutMask, sizes: Readonly<Record<string, number>>): number[] {
  return evaluateShape(mask.shape, sizes).map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    throw new LatheError(
      'usage',
      `dropout mask "${mask.name}" ${formatShape(mask.shape)}: no size for ${mask.shape[axis] ?? '?'}, got sizes for ${Object.keys(sizes).join(', ') || 'nothing'}`,
    );
  });
}
