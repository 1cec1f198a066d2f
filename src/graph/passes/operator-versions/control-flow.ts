import { first, type History, same } from './step.ts';

const CONTROL = { 1: first, 11: same, 13: same, 16: same, 19: same, 21: same } as const;

export const CONTROL_FLOW = {
  Constant: { 1: first, 9: same, 11: same, 12: same, 13: same, 19: same, 21: same },
  If: CONTROL,
  Loop: CONTROL,
  Scan: {
    8: first,
    9: ({ refuse }) => {
      throw refuse('a scan over batches, which has no form any more');
    },
    11: same,
    16: same,
    19: same,
    21: same,
  },
  SequenceMap: { 17: first },
} satisfies Record<string, History>;
