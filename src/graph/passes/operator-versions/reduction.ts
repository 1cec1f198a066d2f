import { becameInput } from './attributes.ts';
import { first, type History, same } from './step.ts';

/** No axes, or an empty list of them, were all axes before and after. */
const axes = becameInput('axes', 1, true);

const REDUCE = { 1: first, 11: same, 13: same, 18: axes } as const;
const WITH_8_BITS = { 1: first, 11: same, 12: same, 13: same, 18: axes, 20: same } as const;
const POSITION = { 1: first, 11: same, 12: same, 13: same } as const;

export const REDUCTION = {
  ArgMax: POSITION,
  ArgMin: POSITION,
  ReduceL1: REDUCE,
  ReduceL2: REDUCE,
  ReduceLogSum: REDUCE,
  ReduceLogSumExp: REDUCE,
  ReduceMax: WITH_8_BITS,
  ReduceMean: REDUCE,
  ReduceMin: WITH_8_BITS,
  ReduceProd: REDUCE,
  ReduceSum: { 1: first, 11: same, 13: axes },
  ReduceSumSquare: REDUCE,
} satisfies Record<string, History>;
