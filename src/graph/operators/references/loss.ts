import type { DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64 } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { formatDims, sizeOf } from '../../../base/shape.ts';
import { numbersOf, type Tensor } from '../../../base/tensor.ts';
import { intOf, stringOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required } from './inputs.ts';
import { linesAlong } from './positions.ts';
import { logSumExp } from './reduction.ts';

type NumericType = Exclude<DataType, 'string'>;

export const LOSS = {
  NegativeLogLikelihoodLoss: (context) => {
    const x = required(context, 0);
    return [likelihoodLoss(context, x, float64Of(x))];
  },
  SoftmaxCrossEntropyLoss: (context) => {
    const x = required(context, 0); // [batch, classes, ...]
    const scores = float64Of(x);
    const logProbabilities = new Float64Array(scores.length);
    const { starts, offsets } = linesAlong(x.dims, [1]);
    for (const start of starts) {
      const total = logSumExp(scores, start, offsets);
      for (const offset of offsets) logProbabilities[start + offset] = scores[start + offset]! - total;
    }
    return [
      likelihoodLoss(context, x, logProbabilities),
      fromFloat64(x.dtype as NumericType, x.dims, logProbabilities),
    ];
  },
} satisfies Record<string, Reference>;

/** −weight[target] · logProbability[target]; the mean divides by the weights that were used, not by the count. */
function likelihoodLoss(context: ReferenceContext, x: Tensor, logProbabilities: Float64Array): Tensor {
  const { node } = context;
  const target = required(context, 1); // [batch, ...]
  const [batch, classes, ...rest] = x.dims;
  if (classes === undefined || formatDims(target.dims) !== formatDims([batch!, ...rest]))
    throw new LatheError('shape', `scores ${formatDims(x.dims)} and target ${formatDims(target.dims)} do not fit`);
  const weights = context.inputs[2] && float64Of(context.inputs[2]);
  if (weights !== undefined && weights.length !== classes)
    throw new LatheError('shape', `expected ${classes} weights, got ${weights.length}`);
  const ignored = intOf(node, 'ignore_index');
  const inner = sizeOf(rest);
  const losses = new Float64Array(sizeOf(target.dims));
  let used = 0;
  numbersOf(target).forEach((label, index) => {
    if (label === ignored) return;
    if (label < 0 || label >= classes)
      throw new LatheError('invalid-data', `label ${label} is outside [0, ${classes})`);
    const weight = weights === undefined ? 1 : weights[label]!;
    const at = (Math.floor(index / inner) * classes + label) * inner + (index % inner);
    losses[index] = -weight * logProbabilities[at]!;
    used += weight;
  });
  const dtype = x.dtype as NumericType;
  const reduction = stringOf(node, 'reduction', 'mean');
  if (reduction === 'none') return fromFloat64(dtype, target.dims, losses);
  const total = losses.reduce((sum, loss) => sum + loss, 0);
  if (reduction === 'sum') return fromFloat64(dtype, [], Float64Array.of(total));
  if (reduction === 'mean') return fromFloat64(dtype, [], Float64Array.of(total / used));
  throw new LatheError('invalid-model', `attribute "reduction": expected none, sum or mean, got "${reduction}"`);
}
