import { intOf, type Node } from '../../graph/index.ts';

/** Where an operator reads values with a weight: the axis of each that is summed over. */
export interface Reader {
  readonly weight: number;
  readonly weightAxis: (node: Node, rank: number) => number;
  readonly valueAxis: (rank: number) => number;
}

export const READERS: Readonly<Record<string, Reader>> = {
  Conv: { weight: 1, weightAxis: () => 1, valueAxis: () => 1 },
  Gemm: { weight: 1, weightAxis: (node) => (intOf(node, 'transB', 0) === 1 ? 1 : 0), valueAxis: () => 1 },
  MatMul: { weight: 1, weightAxis: (_, rank) => Math.max(0, rank - 2), valueAxis: (rank) => rank - 1 },
};
