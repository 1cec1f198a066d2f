import type { OperatorName } from './names.ts';
import type { ShapeRule } from './shape-rule.ts';
import { CHANNEL_NORMALIZATION } from './shapes/channel-normalization.ts';
import { CONTROL } from './shapes/control.ts';
import { ELEMENTWISE } from './shapes/elementwise.ts';
import { GENERATE } from './shapes/generate.ts';
import { INDEXING } from './shapes/indexing.ts';
import { LAYOUT } from './shapes/layout.ts';
import { LOSS } from './shapes/loss.ts';
import { MATMUL } from './shapes/matmul.ts';
import { QUANTIZATION } from './shapes/quantization.ts';
import { REDUCE } from './shapes/reduce.ts';
import { RESIZE } from './shapes/resize.ts';
import { SAMPLING } from './shapes/sampling.ts';
import { SPACE } from './shapes/space.ts';
import { WINDOW } from './shapes/window.ts';

/** The shape rule of every operator; the files of `shapes/` hold one family each. */
export const SHAPE_RULES = {
  ...CHANNEL_NORMALIZATION,
  ...CONTROL,
  ...ELEMENTWISE,
  ...GENERATE,
  ...INDEXING,
  ...LAYOUT,
  ...LOSS,
  ...MATMUL,
  ...QUANTIZATION,
  ...REDUCE,
  ...RESIZE,
  ...SAMPLING,
  ...SPACE,
  ...WINDOW,
} satisfies Record<OperatorName, ShapeRule>;
