import { DATA_TYPES, type DataType } from '../../base/index.ts';
import { int, intOf, stringOf, type Value } from '../../graph/index.ts';
import { type GradientContext, rule } from '../rule.ts';
import { castLike, scalarLike, scalarOf, zerosLike } from '../shapes.ts';

/** The losses over class labels: scores or log-probabilities [N, C, …], labels [N, …], class weights [C]. */
export const LOSS = {
  // softmax - 1 at the label, times each label's share of the loss
  SoftmaxCrossEntropyLoss: rule((context) => {
    const { build } = context;
    refuseWeights(context);
    const logProbabilities = context.output(1);
    const probabilities = build.exp(logProbabilities);
    const gradients: Value[] = [];
    if (context.hasOutputGradient(0)) {
      const { labels, share } = labelShares(context);
      // One pass over [N, C, …] instead of a one-hot tensor of the same size.
      const scaled = build.mul(probabilities, share);
      const atLabel = build.sub(build.op('GatherElements', [scaled, labels], { axis: int(1) }), share);
      gradients.push(build.op('ScatterElements', [scaled, labels, atLabel], { axis: int(1) }));
    }
    if (context.hasOutputGradient(1)) {
      const dy = context.outputGradient(1);
      gradients.push(build.sub(dy, build.mul(probabilities, build.reduceSum(dy, [1]))));
    }
    return [gradients.length === 2 ? build.add(gradients[0]!, gradients[1]!) : gradients[0]];
  }),
  NegativeLogLikelihoodLoss: rule((context) => {
    const { build } = context;
    refuseWeights(context);
    const { labels, share } = labelShares(context);
    const zeros = zerosLike(context, context.input(0));
    return [build.op('ScatterElements', [zeros, labels, build.neg(share)], { axis: int(1) })];
  }),
} as const;

function refuseWeights(context: GradientContext): void {
  if (context.needs(2)) throw context.unsupported('the gradient of the class weights is not built');
}

/**
 * Labels as indices along axis 1 [N, 1, …] (0 where they are to be ignored), and the share of the output's gradient
 * that each label's term has, in the same shape (0 where ignored).
 */
function labelShares(context: GradientContext): { readonly labels: Value; readonly share: Value } {
  const { build, node } = context;
  const scores = context.input(0);
  const given = context.input(1);
  const dtype = context.dataTypeOf(given) as Exclude<DataType, 'string'>;
  const reduction = stringOf(node, 'reduction', 'mean');
  const ignored = intOf(node, 'ignore_index');
  const zero = scalarLike(context, 0, scores);
  const isIgnored = ignored === undefined ? undefined : build.equal(given, scalarOf(context, ignored, dtype));
  const labels = isIgnored === undefined ? given : build.where(isIgnored, scalarOf(context, 0, dtype), given);
  const weight = (): Value => {
    const plain = context.hasInput(2)
      ? build.gather(context.input(2), labels)
      : build.expand(scalarLike(context, 1, scores), build.shape(given));
    return isIgnored === undefined ? plain : build.where(isIgnored, zero, plain);
  };
  const dy = context.outputGradient(0);
  const weights = weight();
  const total = (): Value =>
    context.hasInput(2) || isIgnored !== undefined
      ? build.op('ReduceSum', [weights], { keepdims: int(0) })
      : castLike(context, build.op('Size', [given]), scores);
  const share = build.mul(weights, reduction === 'mean' ? build.div(dy, total()) : dy);
  return { labels: toInt64(context, build.unsqueeze(labels, [1]), dtype), share: build.unsqueeze(share, [1]) };
}

function toInt64(context: GradientContext, value: Value, dtype: DataType): Value {
  return dtype === 'int64' ? value : context.build.cast(value, DATA_TYPES.int64.code);
}
