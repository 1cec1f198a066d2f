import type { OperatorName } from '../../operators/names.ts';
import { ARITHMETIC } from './arithmetic.ts';
import { CARRIED } from './carried.ts';
import { CONTROL_FLOW } from './control-flow.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { INDEXING } from './indexing.ts';
import { LAYOUT } from './layout.ts';
import { NORMALIZATION } from './normalization.ts';
import { RECURRENT } from './recurrent.ts';
import { REDUCTION } from './reduction.ts';
import { RESIZE } from './resize.ts';
import type { History } from './step.ts';
import { WINDOW } from './window.ts';

/** The newest operator set whose operators these tables describe. */
export const NEWEST_OPERATOR_SET = 21;

/** The versions of every standard operator up to NEWEST_OPERATOR_SET, and how to come from each to the next. */
export const HISTORIES = {
  ...ARITHMETIC,
  ...CARRIED,
  ...CONTROL_FLOW,
  ...ELEMENTWISE,
  ...INDEXING,
  ...LAYOUT,
  ...NORMALIZATION,
  ...RECURRENT,
  ...REDUCTION,
  ...RESIZE,
  ...WINDOW,
} satisfies Record<OperatorName, History>;

/** The operator sets that an operator of another name took over with. */
export const ENDED: Readonly<Record<string, number>> = { Scatter: 11, Upsample: 10 };
