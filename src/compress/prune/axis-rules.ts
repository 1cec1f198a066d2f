import type { OperatorName } from '../../graph/index.ts';
import { CONVOLUTION } from './axes/convolution.ts';
import { ELEMENTWISE } from './axes/elementwise.ts';
import { LAYOUT } from './axes/layout.ts';
import { MATRIX } from './axes/matrix.ts';
import { NORMALIZATION } from './axes/normalization.ts';
import { QUANTIZATION } from './axes/quantization.ts';
import { REDUCTION } from './axes/reduction.ts';
import type { AxisRule } from './axis-rule.ts';

/** Nothing can be cut through these: every axis keeps its length. */
const keeps: AxisRule = () => {};

/** Which axes each operator ties; the files of `axes/` hold one family each. */
export const AXIS_RULES = {
  ...CONVOLUTION,
  ...ELEMENTWISE,
  ...LAYOUT,
  ...MATRIX,
  ...NORMALIZATION,
  ...QUANTIZATION,
  ...REDUCTION,
  Compress: keeps,
  Constant: keeps,
  ConstantOfShape: keeps,
  DepthToSpace: keeps,
  DynamicQuantizeLinear: keeps,
  EyeLike: keeps,
  GatherElements: keeps,
  GatherND: keeps,
  If: keeps,
  Loop: keeps,
  MatMulInteger: keeps,
  NegativeLogLikelihoodLoss: keeps,
  NonZero: keeps,
  Range: keeps,
  RoiAlign: keeps,
  Scan: keeps,
  ScatterElements: keeps,
  ScatterND: keeps,
  SoftmaxCrossEntropyLoss: keeps,
  SpaceToDepth: keeps,
} satisfies Record<OperatorName, AxisRule>;
