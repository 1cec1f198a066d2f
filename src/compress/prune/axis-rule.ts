import type { Node, Shape } from '../../graph/index.ts';

/**
 * States which axes of a node's inputs and outputs are tied: where an index of one is cut, which indices of others must
 * go too. An axis that a rule does not speak of keeps its length.
 */
export type AxisRule = (node: AxisContext, ties: Ties) => void;

/** An axis of one input or output of a node. */
export interface Axis {
  readonly side: 'input' | 'output';
  readonly index: number;
  readonly axis: number;
}

export const input = (index: number, axis: number): Axis => ({ side: 'input', index, axis });
export const output = (index: number, axis: number): Axis => ({ side: 'output', index, axis });

export interface AxisContext {
  readonly node: Node;
  readonly opset: number;
  /** Shapes of inputs and outputs; undefined for those left out, and for what is no tensor. */
  readonly inputs: readonly (Shape | undefined)[];
  readonly outputs: readonly (Shape | undefined)[];
  /** The elements of an integer input, where all of them are known. */
  readonly numbers: (index: number) => readonly number[] | undefined;
}

/** What a rule can say. Axes of length 1, and of lengths that only a run knows, have nothing to cut: they need no word. */
export interface Ties {
  /** Index i of one is index i of the other. */
  same(a: Axis, b: Axis): void;
  /** Index i of `part` is index `from` + i of `whole`. */
  part(whole: Axis, part: Axis, from: number): void;
  /** Index i of `short` stands for a block of neighbours of `long`: [n] and [n · size]. */
  blocks(short: Axis, long: Axis): void;
  /** Index i of `short` stands for every n-th index of `long`: [n] and [times · n]. */
  repeats(short: Axis, long: Axis): void;
  /** Of each of `parts` equal blocks of an axis goes the same index. */
  everyNth(axis: Axis, parts: number): void;
  /** Indices of this axis go without consequences here: they are summed over, or are weights alone. */
  free(axis: Axis): void;
  /** As `free`, but what is left is computed over: a mean or a variance changes even where what goes was zero. */
  statistic(axis: Axis): void;
}
