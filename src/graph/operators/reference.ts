import type { Tensor } from '../../base/tensor.ts';
import type { Graph, Node } from '../ir.ts';

/**
 * A reference operator: the ONNX definition computed plainly and exactly, for constant folding and as the oracle for
 * everything else. Floating-point work is done in float64 and rounded once, to the output's type. Every version of the
 * operator from operator set 7 on is understood.
 *
 * Outputs may share memory with inputs, so that nobody may write into either. Errors need not name the node: whoever
 * runs it adds that (`runReference`).
 */
export type Reference = (context: ReferenceContext) => readonly Tensor[];

export interface ReferenceContext {
  readonly node: Node;
  readonly opset: number;
  /** Undefined where an optional input is left out. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** Evaluates a subgraph attribute with the given inputs; outer values are visible to it. */
  readonly evaluate: (graph: Graph, inputs: readonly Tensor[]) => readonly Tensor[];
}
