import { type AxisRule, input, output } from '../axis-rule.ts';

/** Each output has the shape of the first input. */
const unary: AxisRule = ({ inputs, outputs }, ties) => {
  for (const index of outputs.keys()) {
    for (const axis of inputs[0]!.keys()) ties.same(input(0, axis), output(index, axis));
  }
};

/** Inputs broadcast to the output, by their last axes. */
const broadcasting: AxisRule = ({ inputs, outputs }, ties) => {
  const rank = outputs[0]!.length;
  for (const [index, shape] of inputs.entries()) {
    for (const axis of shape?.keys() ?? []) ties.same(input(index, axis), output(0, axis + rank - shape!.length));
  }
};

export const ELEMENTWISE = {
  Abs: unary,
  Acos: unary,
  Acosh: unary,
  Add: broadcasting,
  And: broadcasting,
  Asin: unary,
  Asinh: unary,
  Atan: unary,
  Atanh: unary,
  Cast: unary,
  CastLike: unary,
  Ceil: unary,
  Celu: unary,
  Clip: unary,
  Cos: unary,
  Cosh: unary,
  Div: broadcasting,
  Dropout: unary,
  Elu: unary,
  Equal: broadcasting,
  Erf: unary,
  Exp: unary,
  Floor: unary,
  Gelu: unary,
  Greater: broadcasting,
  GreaterOrEqual: broadcasting,
  HardSigmoid: unary,
  HardSwish: unary,
  Identity: unary,
  IsInf: unary,
  IsNaN: unary,
  LeakyRelu: unary,
  Less: broadcasting,
  LessOrEqual: broadcasting,
  Log: unary,
  Max: broadcasting,
  Mean: broadcasting,
  Min: broadcasting,
  Mish: unary,
  Mod: broadcasting,
  Mul: broadcasting,
  Neg: unary,
  Not: unary,
  Or: broadcasting,
  PRelu: broadcasting,
  Pow: broadcasting,
  Reciprocal: unary,
  Relu: unary,
  Round: unary,
  Selu: unary,
  Sigmoid: unary,
  Sign: unary,
  Sin: unary,
  Sinh: unary,
  Softplus: unary,
  Softsign: unary,
  Sqrt: unary,
  Sub: broadcasting,
  Sum: broadcasting,
  Tan: unary,
  Tanh: unary,
  ThresholdedRelu: unary,
  Where: broadcasting,
  Xor: broadcasting,
} satisfies Record<string, AxisRule>;
