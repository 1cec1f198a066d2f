import { LatheError } from '../../../base/errors.ts';
import type { Tensor } from '../../../base/tensor.ts';
import { floatOf, stringOf } from '../../attributes.ts';
import type { Node } from '../../ir.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { type BinaryKernel, combine, unary } from './elementwise.ts';
import { erfc } from './error-function.ts';
import { required } from './inputs.ts';
import { reshaped } from './take.ts';

export const sigmoid = (x: number): number => {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const power = Math.exp(x);
  return power / (1 + power);
};

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** The specification's defaults: float32 values, written out. */
const SELU_ALPHA = 1.6732631921768188;
const SELU_GAMMA = 1.0507010221481323;

export const ACTIVATIONS = {
  Celu: unary((node) => {
    const alpha = floatOf(node, 'alpha', 1);
    return (x) => (x < 0 ? alpha * Math.expm1(x / alpha) : x);
  }),
  Elu: unary((node) => {
    const alpha = floatOf(node, 'alpha', 1);
    return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
  }),
  Gelu: unary(gelu),
  HardSigmoid: unary((node) => {
    const alpha = floatOf(node, 'alpha', Math.fround(0.2));
    const beta = floatOf(node, 'beta', 0.5);
    return (x) => Math.max(0, Math.min(1, alpha * x + beta));
  }),
  HardSwish: unary(() => (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5))),
  LeakyRelu: unary((node) => {
    const alpha = floatOf(node, 'alpha', Math.fround(0.01));
    return (x) => (x < 0 ? alpha * x : x);
  }),
  Mish: unary(() => (x) => x * Math.tanh(softplus(x))),
  PRelu: parametricRelu,
  Relu: unary(
    () => (x) => (x < 0 ? 0 : x),
    () => (x) => (x < 0n ? 0n : x),
  ),
  Selu: unary((node) => {
    const alpha = floatOf(node, 'alpha', SELU_ALPHA);
    const gamma = floatOf(node, 'gamma', SELU_GAMMA);
    return (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x));
  }),
  Sigmoid: unary(() => sigmoid),
  Softplus: unary(() => softplus),
  Softsign: unary(() => (x) => x / (1 + Math.abs(x))),
  ThresholdedRelu: unary((node) => {
    const alpha = floatOf(node, 'alpha', 1);
    return (x) => (x > alpha ? x : 0);
  }),
} satisfies Record<string, Reference>;

const PRELU: BinaryKernel = {
  float: (x, slope) => (x < 0 ? slope * x : x),
  integer: (x, slope) => (x < 0n ? slope * x : x),
};

/** Before operator set 7 a list of slopes was one for each channel. */
function parametricRelu(context: ReferenceContext): readonly Tensor[] {
  const [x, slope] = [required(context, 0), required(context, 1)];
  const channels = context.opset < 7 && slope.dims.length === 1 && x.dims.length > 2;
  return [combine(x, channels ? reshaped(slope, [...slope.dims, ...x.dims.slice(2).fill(1)]) : slope, PRELU)];
}

function gelu(node: Node): (x: number) => number {
  const approximate = stringOf(node, 'approximate', 'none');
  // erfc rather than 1 + erf: exact in the negative tail, where the sum cancels.
  if (approximate === 'none') return (x) => 0.5 * x * erfc(-x * Math.SQRT1_2);
  if (approximate === 'tanh') {
    const scale = Math.sqrt(2 / Math.PI);
    return (x) => 0.5 * x * (1 + Math.tanh(scale * (x + 0.044715 * x ** 3)));
  }
  throw new LatheError('invalid-model', `attribute "approximate": expected "none" or "tanh", got "${approximate}"`);
}
