import { DATA_TYPES, type DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64, fromIntegers, integersOf, isInteger } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { roundHalfToEven } from '../../../base/float16.ts';
import { broadcastDims } from '../../../base/shape.ts';
import { type Tensor, tensor } from '../../../base/tensor.ts';
import { floatOf, intOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import {
  type BinaryKernel,
  binary,
  combine,
  mapFloat64,
  operands,
  unary,
  variadic,
  zip,
  zipFloat64,
} from './elementwise.ts';
import { erf } from './error-function.ts';
import { required, sameTypes } from './inputs.ts';

export const ADD: BinaryKernel = { float: (a, b) => a + b, integer: (a, b) => a + b };
export const MULTIPLY: BinaryKernel = { float: (a, b) => a * b, integer: (a, b) => a * b };
export const MAXIMUM: BinaryKernel = { float: Math.max, integer: (a, b) => (a > b ? a : b) };
export const MINIMUM: BinaryKernel = { float: Math.min, integer: (a, b) => (a < b ? a : b) };

type NumericType = Exclude<DataType, 'string'>;

function divisor(b: bigint): bigint {
  if (b === 0n) throw new LatheError('invalid-data', 'integer division by zero');
  return b;
}

const float = (kernel: (x: number) => number): Reference => unary(() => kernel);

export const ARITHMETIC = {
  Abs: unary(
    () => Math.abs,
    () => (x) => (x < 0n ? -x : x),
  ),
  Acos: float(Math.acos),
  Acosh: float(Math.acosh),
  Add: binary(ADD),
  Asin: float(Math.asin),
  Asinh: float(Math.asinh),
  Atan: float(Math.atan),
  Atanh: float(Math.atanh),
  Ceil: float(Math.ceil),
  Clip: clip,
  Cos: float(Math.cos),
  Cosh: float(Math.cosh),
  Div: binary({ float: (a, b) => a / b, integer: (a, b) => a / divisor(b) }),
  Erf: float(erf),
  Exp: float(Math.exp),
  Floor: float(Math.floor),
  Log: float(Math.log),
  Max: variadic(MAXIMUM),
  Mean: mean,
  Min: variadic(MINIMUM),
  Mod: modulo,
  Mul: binary(MULTIPLY),
  Neg: unary(
    () => (x) => -x,
    () => (x) => -x,
  ),
  Pow: power,
  Reciprocal: float((x) => 1 / x),
  Round: float(roundHalfToEven),
  Sign: unary(
    () => Math.sign,
    () => (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n),
  ),
  Sin: float(Math.sin),
  Sinh: float(Math.sinh),
  Sqrt: float(Math.sqrt),
  Sub: binary({ float: (a, b) => a - b, integer: (a, b) => a - b }),
  Sum: variadic(ADD),
  Tan: float(Math.tan),
  Tanh: float(Math.tanh),
} satisfies Record<string, Reference>;

/** Bounds are attributes before operator set 11, then optional inputs. Where min exceeds max, the result is max. */
function clip(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const { node, opset } = context;
  const old = opset < 11;
  if (isInteger(x.dtype)) {
    const bound = (index: number): bigint | undefined => context.inputs[index] && integersOf(context.inputs[index])[0];
    const low = bound(1);
    const high = bound(2);
    const clipped = Array.from(integersOf(x), (value) => {
      const raised = low !== undefined && value < low ? low : value;
      return high !== undefined && raised > high ? high : raised;
    });
    return [fromIntegers(x.dtype as NumericType, x.dims, clipped)];
  }
  const bound = (index: number, name: string, none: number): number => {
    if (old) return floatOf(node, name, none);
    const value = context.inputs[index];
    return (value && float64Of(value)[0]) ?? none;
  };
  const low = bound(1, 'min', -Infinity);
  const high = bound(2, 'max', Infinity);
  return [mapFloat64(x, (value) => Math.min(high, Math.max(low, value)))];
}

const sum = variadic(ADD);

function mean(context: ReferenceContext): readonly Tensor[] {
  sameTypes(context.inputs.map((_, index) => required(context, index)));
  // Summed in float64, and rounded once after the division.
  const inputs = context.inputs.map((value) => value && tensor('float64', value.dims, float64Of(value)));
  const { dtype } = required(context, 0);
  const total = sum({ ...context, inputs })[0]!;
  const values = float64Of(total).map((value) => value / inputs.length);
  return [fromFloat64(dtype as NumericType, total.dims, values)];
}

/** With `fmod` the sign of the dividend, as in C; else (integers only) that of the divisor, as in Python. */
function modulo(context: ReferenceContext): readonly Tensor[] {
  const [a, b] = operands(context);
  const fmod = intOf(context.node, 'fmod', 0) === 1;
  if (!fmod && !isInteger(a.dtype))
    throw new LatheError('invalid-model', `${a.dtype} needs attribute "fmod" = 1, got 0`);
  const remainder = (x: bigint, y: bigint): bigint => x % divisor(y);
  return [
    combine(a, b, {
      float: (x, y) => x % y,
      integer: fmod
        ? remainder
        : (x, y) => {
            const rest = remainder(x, y);
            return rest !== 0n && rest < 0n !== y < 0n ? rest + y : rest;
          },
    }),
  ];
}

/** The result has the type of the base; the exponent may have another. */
function power(context: ReferenceContext): readonly Tensor[] {
  const [base, exponent] = operands(context);
  const dtype = base.dtype as NumericType;
  const dims = broadcastDims(base.dims, exponent.dims);
  if (isInteger(base.dtype) && isInteger(exponent.dtype)) {
    const { bits } = DATA_TYPES[dtype];
    const raised = zip(integersOf(base), base.dims, integersOf(exponent), exponent.dims, dims, (x, y) =>
      integerPower(x, y, bits),
    );
    return [fromIntegers(dtype, dims, raised)];
  }
  return [
    fromFloat64(dtype, dims, zipFloat64(float64Of(base), base.dims, float64Of(exponent), exponent.dims, dims, pow)),
  ];
}

/** C's pow, which differs from JavaScript's where the base is 1 or −1 and the exponent is not finite. */
function pow(x: number, y: number): number {
  if (x === 1 || (x === -1 && Math.abs(y) === Infinity)) return 1;
  return x ** y;
}

function integerPower(base: bigint, exponent: bigint, bits: number): bigint {
  if (exponent < 0n) {
    if (base === 0n) throw new LatheError('invalid-data', 'integer division by zero: 0 to a negative power');
    if (base === 1n) return 1n;
    return base === -1n ? (exponent % 2n === 0n ? 1n : -1n) : 0n;
  }
  let result = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = BigInt.asIntN(bits, result * square);
    square = BigInt.asIntN(bits, square * square);
  }
  return result;
}
