import { float, floatOf, intOf } from '../../attributes.ts';
import { scalarLike, withDefault, withInput } from './attributes.ts';
import { both, first, type History, type Step, same, without, withoutConsumed } from './step.ts';

const began = (version: number): History => ({ [version]: first });

/** Since operator set 1, with `consumed_inputs` before 6. */
const OLD = { 1: first, 6: withoutConsumed } as const;

/**
 * Operator sets before 7 broadcast where the attribute said so: the second input along axes of the first that begin
 * at `axis`, by default the last ones.
 */
const broadcasting: Step = (context) => {
  const { node, typeOf, refuse, build } = context;
  const plain = without('broadcast', 'axis')(context);
  if (intOf(node, 'broadcast', 0) === 0 || !node.attributes.has('axis')) return plain;
  const [a, b] = [typeOf(0)?.shape?.length, typeOf(1)?.shape?.length];
  if (a === undefined || b === undefined) throw refuse('broadcasting along an axis of inputs of unknown rank');
  const axis = intOf(node, 'axis', 0);
  const trailing = a - (axis < 0 ? axis + a : axis) - b;
  if (trailing <= 0) return plain;
  const axes = Array.from({ length: trailing }, (_, index) => b + index);
  return withInput(plain, 1, build.unsqueeze(node.inputs[1]!, axes));
};

const OLD_ARITHMETIC = { ...OLD, 7: broadcasting, 13: same, 14: same } as const;
const OLD_COMPARISON = { 1: first, 7: broadcasting } as const;

/** The bounds became inputs; their defaults, the ends of the range of the element type, stayed. */
const bounds: Step = (context) => {
  const { node } = context;
  const bound = (name: string): string =>
    node.attributes.has(name) ? scalarLike(context, floatOf(node, name, 0)) : '';
  const inputs = [node.inputs[0]!, bound('min'), bound('max')];
  while (inputs.at(-1) === '') inputs.pop();
  return { ...without('min', 'max')(context), inputs };
};

/** Slopes broadcast as in NumPy since operator set 7: before, a list of them was one for each channel. */
const slopes: Step = ({ node, typeOf, refuse, build }) => {
  const slope = typeOf(1)?.shape;
  if (slope !== undefined && (slope.length !== 1 || slope[0] === 1)) return node;
  const rank = typeOf(0)?.shape?.length;
  if (rank === undefined || slope === undefined) throw refuse('inputs of unknown rank');
  if (rank < 3) return node;
  const axes = Array.from({ length: rank - 2 }, (_, index) => index + 1);
  return withInput(node, 1, build.unsqueeze(node.inputs[1]!, axes));
};

export const ELEMENTWISE = {
  Abs: { ...OLD, 13: same },
  Acos: began(7),
  Acosh: began(9),
  Add: OLD_ARITHMETIC,
  And: OLD_COMPARISON,
  Asin: began(7),
  Asinh: began(9),
  Atan: began(7),
  Atanh: began(9),
  Ceil: { ...OLD, 13: same },
  Celu: began(12),
  Clip: { ...OLD, 11: bounds, 12: same, 13: same },
  Cos: began(7),
  Cosh: began(9),
  Div: OLD_ARITHMETIC,
  Elu: OLD,
  Equal: { ...OLD_COMPARISON, 11: same, 13: same, 19: same },
  Erf: { 9: first, 13: same },
  Exp: { ...OLD, 13: same },
  Floor: { ...OLD, 13: same },
  Gelu: began(20),
  Greater: { ...OLD_COMPARISON, 9: same, 13: same },
  GreaterOrEqual: { 12: first, 16: same },
  HardSigmoid: OLD,
  HardSwish: began(14),
  IsInf: { 10: first, 20: same },
  IsNaN: { 9: first, 13: same, 20: same },
  LeakyRelu: { ...OLD, 16: same },
  Less: { ...OLD_COMPARISON, 9: same, 13: same },
  LessOrEqual: { 12: first, 16: same },
  Log: { ...OLD, 13: same },
  Max: { ...OLD, 8: same, 12: same, 13: same },
  Mean: { ...OLD, 8: same, 13: same },
  Min: { ...OLD, 8: same, 12: same, 13: same },
  Mish: began(18),
  Mod: { 10: first, 13: same },
  Mul: OLD_ARITHMETIC,
  Neg: { ...OLD, 13: same },
  Not: began(1),
  Or: OLD_COMPARISON,
  PRelu: { ...OLD, 7: slopes, 9: same, 16: same },
  Pow: { 1: first, 7: broadcasting, 12: same, 13: same, 15: same },
  Reciprocal: { ...OLD, 13: same },
  Relu: { ...OLD, 13: same, 14: same },
  Round: began(11),
  // The constants had five digits before operator set 6.
  Selu: {
    1: first,
    6: both(withoutConsumed, withDefault('alpha', float(1.6732)), withDefault('gamma', float(1.0507))),
  },
  Sigmoid: { ...OLD, 13: same },
  Sign: { 9: first, 13: same },
  Sin: began(7),
  Sinh: began(9),
  Softplus: began(1),
  Softsign: began(1),
  Sqrt: { ...OLD, 13: same },
  Sub: OLD_ARITHMETIC,
  Sum: { ...OLD, 8: same, 13: same },
  Tan: began(7),
  Tanh: { ...OLD, 13: same },
  ThresholdedRelu: began(10),
  Where: { 9: first, 16: same },
  Xor: OLD_COMPARISON,
} satisfies Record<string, History>;
