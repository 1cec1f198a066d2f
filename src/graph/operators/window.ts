import { LatheError } from '../../base/errors.ts';
import { formatDims } from '../../base/shape.ts';
import { intOf, intsOf, stringOf } from '../attributes.ts';
import {
  addDimensions,
  divideDimensions,
  lengthAtLeastZero,
  minimumOfDimensions,
  multiplyDimensions,
  subtractDimensions,
} from '../dimension.ts';
import type { Dimension, Node, Shape } from '../ir.ts';

/**
 * A window that a convolution or a pool moves over the spatial axes of its input [batch, channels, ...]: how many taps
 * it has along each axis, how far they are apart, how far it moves, and how many elements are added around the input.
 */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Elements added before and behind each axis; symbolic where they depend on a size that is. */
  readonly begin: Shape;
  readonly end: Shape;
  /** The sizes of the smaller side: the output of a convolution or pool, the input of a transposed convolution. */
  readonly places: Shape;
}

/** A window of which all is known, as whoever computes needs it. */
export interface KnownWindow extends Window {
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly places: readonly number[];
}

/** The window of a Conv or of a pool over an input with these spatial sizes. Throws a LatheError('shape') where it does not fit. */
export function windowOver(node: Node, kernel: readonly number[], sizes: Shape): Window {
  const { strides, dilations, pads, automatic } = read(node, kernel);
  if (sizes.length !== kernel.length)
    throw new LatheError(
      'shape',
      `a kernel of ${formatDims(kernel)} needs ${kernel.length} spatial axes, got ${formatDims(sizes)}`,
    );
  const ceil = intOf(node, 'ceil_mode', 0) !== 0;
  const begin: Dimension[] = [];
  const end: Dimension[] = [];
  const places = sizes.map((size, axis) => {
    const stride = strides[axis]!;
    const extent = extentOf(kernel, dilations, axis);
    if (automatic === 'SAME_UPPER' || automatic === 'SAME_LOWER') {
      const count = divideDimensions(addDimensions(size, stride - 1), stride);
      const spanned = addDimensions(multiplyDimensions(subtractDimensions(count, 1), stride), extent);
      const [before, behind] = halves(lengthAtLeastZero(subtractDimensions(spanned, size)), automatic);
      begin.push(before);
      end.push(behind);
      return count;
    }
    begin.push(pads[axis]!);
    end.push(pads[kernel.length + axis]!);
    const room = subtractDimensions(addDimensions(size, pads[axis]! + pads[kernel.length + axis]!), extent);
    if (typeof room === 'number' && room < 0)
      throw new LatheError(
        'shape',
        `axis ${axis + 2} has ${size} elements with padding less than the kernel's ${extent}`,
      );
    if (!ceil || automatic === 'VALID') return addDimensions(divideDimensions(room, stride), 1);
    // Windows that would start behind the input, in the padding, are left out.
    const all = addDimensions(divideDimensions(addDimensions(room, stride - 1), stride), 1);
    const starting = divideDimensions(addDimensions(size, pads[axis]! + stride - 1), stride);
    return minimumOfDimensions(all, starting);
  });
  return { kernel, strides, dilations, begin, end, places };
}

/**
 * The window of a ConvTranspose over an input with these spatial sizes, and the sizes of its output. Padding is what is
 * cut off the output; where `output_shape` asks for more than there is, it is negative.
 */
export function transposedWindow(
  node: Node,
  kernel: readonly number[],
  sizes: Shape,
): { readonly window: Window; readonly outputs: Shape } {
  const { strides, dilations, pads, automatic } = read(node, kernel);
  const rank = kernel.length;
  if (sizes.length !== rank)
    throw new LatheError(
      'shape',
      `a kernel of ${formatDims(kernel)} needs ${rank} spatial axes, got ${formatDims(sizes)}`,
    );
  const added = listOf(node, 'output_padding', rank) ?? new Array<number>(rank).fill(0);
  // Some exporters write the whole shape here: what counts are its last dimensions.
  const wanted = intsOf(node, 'output_shape')?.slice(-rank);
  const begin: Dimension[] = [];
  const end: Dimension[] = [];
  const outputs = sizes.map((size, axis) => {
    const stride = strides[axis]!;
    const covered = addDimensions(
      multiplyDimensions(subtractDimensions(size, 1), stride),
      extentOf(kernel, dilations, axis) + added[axis]!,
    );
    const same = automatic === 'SAME_UPPER' || automatic === 'SAME_LOWER';
    const target = wanted?.[axis] ?? (same ? multiplyDimensions(size, stride) : undefined);
    if (target === undefined) {
      begin.push(pads[axis]!);
      end.push(pads[rank + axis]!);
      return subtractDimensions(covered, pads[axis]! + pads[rank + axis]!);
    }
    const [before, behind] = halves(subtractDimensions(covered, target), automatic);
    begin.push(before);
    end.push(behind);
    return target;
  });
  return { window: { kernel, strides, dilations, begin, end, places: sizes }, outputs };
}

/** The window where all its sizes are numbers. */
export function knownWindow(window: Window): KnownWindow | undefined {
  const { begin, end, places } = window;
  return [...begin, ...end, ...places].every((dim) => typeof dim === 'number') ? (window as KnownWindow) : undefined;
}

/**
 * Where each tap of a window reads, over an input with these spatial sizes: row `tap` (row-major over the kernel) holds
 * for each place (row-major) the position in the input, or -1 in the padding.
 */
export function tapPositions(window: KnownWindow, sizes: readonly number[]): readonly Int32Array[] {
  const { kernel, strides, dilations, begin, places } = window;
  let rows: readonly Int32Array[] = [Int32Array.of(0)];
  for (const [axis, taps] of kernel.entries()) {
    const size = sizes[axis]!;
    rows = rows.flatMap((row) =>
      Array.from({ length: taps }, (_, tap) => {
        const extended = new Int32Array(row.length * places[axis]!);
        let at = 0;
        for (const outer of row)
          for (let place = 0; place < places[axis]!; place++) {
            const inner = place * strides[axis]! + tap * dilations[axis]! - begin[axis]!;
            extended[at++] = outer < 0 || inner < 0 || inner >= size ? -1 : outer * size + inner;
          }
        return extended;
      }),
    );
  }
  return rows;
}

/** The number of elements between the first and the last tap along an axis, both included. */
export function extentOf(kernel: readonly number[], dilations: readonly number[], axis: number): number {
  return (kernel[axis]! - 1) * dilations[axis]! + 1;
}

function read(node: Node, kernel: readonly number[]) {
  const rank = kernel.length;
  const automatic = stringOf(node, 'auto_pad', 'NOTSET');
  if (!['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'].includes(automatic))
    throw new LatheError(
      'invalid-model',
      `attribute "auto_pad": expected NOTSET, SAME_UPPER, SAME_LOWER or VALID, got "${automatic}"`,
    );
  const ones = new Array<number>(rank).fill(1);
  const zeros = new Array<number>(2 * rank).fill(0);
  const strides = listOf(node, 'strides', rank) ?? ones;
  const dilations = listOf(node, 'dilations', rank) ?? ones;
  if ([...strides, ...dilations, ...kernel].some((value) => value < 1))
    throw new LatheError(
      'invalid-model',
      `kernel ${formatDims(kernel)}, strides ${formatDims(strides)} and dilations ${formatDims(dilations)} must be 1 or more`,
    );
  const pads = automatic === 'NOTSET' ? (listOf(node, 'pads', 2 * rank) ?? zeros) : zeros;
  return { strides, dilations, pads, automatic };
}

function listOf(node: Node, name: string, length: number): readonly number[] | undefined {
  const list = intsOf(node, name);
  if (list === undefined || list.length === length) return list;
  throw new LatheError('invalid-model', `attribute "${name}": expected ${length} numbers, got ${list.length}`);
}

/** Padding split between the two sides; an odd element goes behind for SAME_UPPER, else before. */
function halves(total: Dimension, automatic: string): readonly [Dimension, Dimension] {
  const half = typeof total === 'number' ? Math.floor(total / 2) : divideDimensions(total, 2);
  const rest = subtractDimensions(total, half);
  return automatic === 'SAME_UPPER' ? [half, rest] : [rest, half];
}
