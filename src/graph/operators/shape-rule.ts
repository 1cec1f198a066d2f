import type { Dimension, Graph, Node, TensorType, ValueType } from '../ir.ts';

/**
 * A shape rule: from the types of a node's inputs (and their values, where known) to the types of its outputs.
 * Undefined where nothing can be said. A rule throws a LatheError('shape') when the inputs cannot be right.
 */
export type ShapeRule = (context: ShapeContext) => readonly (InferredValue | undefined)[];

/**
 * What is known of a value: its type, and for tensors of at most 1024 elements that are computed from shapes and small
 * constants (shapes, axes, lengths) the elements, row-major, which may be symbolic or null; booleans are 0 and 1.
 * Elements come only with a shape that is all numbers.
 */
export interface InferredValue {
  readonly type: ValueType;
  readonly elements?: readonly Dimension[];
}

export interface ShapeContext {
  readonly node: Node;
  readonly opset: number;
  /** The type of input `index` where it is a dense tensor of a known element type. */
  readonly input: (index: number) => TensorType | undefined;
  readonly inputValue: (index: number) => InferredValue | undefined;
  /** The elements of an input, known or symbolic. */
  readonly elements: (index: number) => readonly Dimension[] | undefined;
  /** Infers a subgraph attribute, given the types of its inputs. */
  readonly infer: (
    graph: Graph,
    inputs: readonly (InferredValue | undefined)[],
  ) => readonly (InferredValue | undefined)[];
}
