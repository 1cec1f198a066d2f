import type { OperatorName } from '../graph/index.ts';
import { type GradientRow, noGradient, refused } from './rule.ts';
import { ACCUMULATION } from './rules/accumulation.ts';
import { ACTIVATION } from './rules/activation.ts';
import { ARITHMETIC } from './rules/arithmetic.ts';
import { ASSEMBLY } from './rules/assembly.ts';
import { CHANNEL_NORMALIZATION } from './rules/channel-normalization.ts';
import { CONVOLUTION } from './rules/convolution.ts';
import { INDEXING } from './rules/indexing.ts';
import { LAYOUT } from './rules/layout.ts';
import { LOSS } from './rules/loss.ts';
import { MATRIX } from './rules/matrix.ts';
import { NORMALIZATION } from './rules/normalization.ts';
import { POOLING } from './rules/pooling.ts';
import { QUANTIZATION } from './rules/quantization.ts';
import { REDUCTION } from './rules/reduction.ts';
import { RESIZE } from './rules/resize.ts';
import { SAMPLING } from './rules/sampling.ts';
import { SPACE } from './rules/space.ts';
import { TRIGONOMETRY } from './rules/trigonometry.ts';

const comparison = noGradient('a comparison has no gradient');
const logic = noGradient('logic has no gradient');
const position = noGradient('positions have no gradient');
const dimensions = noGradient('it depends on dimensions alone');
const constant = noGradient('it is a constant');
const controlFlow = refused('gradients through subgraphs are not built: unroll or inline it first');

/** One row an operator. To change or add a row, spread this table into another and give that to `gradient`. */
export const GRADIENT_RULES = {
  ...ACCUMULATION,
  ...ACTIVATION,
  ...ARITHMETIC,
  ...ASSEMBLY,
  ...CHANNEL_NORMALIZATION,
  ...CONVOLUTION,
  ...INDEXING,
  ...LAYOUT,
  ...LOSS,
  ...MATRIX,
  ...NORMALIZATION,
  ...QUANTIZATION,
  ...POOLING,
  ...REDUCTION,
  ...RESIZE,
  ...SAMPLING,
  ...SPACE,
  ...TRIGONOMETRY,
  And: logic,
  ArgMax: position,
  ArgMin: position,
  Constant: constant,
  ConstantOfShape: constant,
  Equal: comparison,
  EyeLike: dimensions,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Hardmax: noGradient('it is constant between its steps'),
  If: controlFlow,
  IsInf: comparison,
  IsNaN: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  Loop: controlFlow,
  MatMulInteger: refused('integers are not trained: take the model that was quantized'),
  NonZero: position,
  Not: logic,
  OneHot: refused('the gradient of its "values" is not built: multiply a constant one-hot tensor instead'),
  Or: logic,
  Range: noGradient('its elements are counted, not computed'),
  Scan: controlFlow,
  Shape: dimensions,
  Size: dimensions,
  Xor: logic,
} satisfies Record<OperatorName, GradientRow>;
