import { normalizeAxis } from '../../../base/index.ts';
import { intOf, intsOf } from '../../../graph/index.ts';
import { type Axis, type AxisContext, type AxisRule, input, output, type Ties } from '../axis-rule.ts';

/** `over` says what goes of an axis that is reduced: nothing where zeros add nothing, a statistic where they count. */
function reduction(over: (ties: Ties, axis: Axis) => void): AxisRule {
  return (context, ties) => {
    const rank = context.inputs[0]!.length;
    const axes = axesOf(context, rank);
    if (axes === undefined) return;
    const keeps = intOf(context.node, 'keepdims', 1) === 1;
    let next = 0;
    for (let axis = 0; axis < rank; axis++) {
      if (!axes.has(axis)) ties.same(input(0, axis), output(0, next++));
      else {
        over(ties, input(0, axis));
        if (keeps) next++;
      }
    }
  };
}

/** The axes that are reduced; undefined where only a run tells. */
function axesOf(context: AxisContext, rank: number): ReadonlySet<number> | undefined {
  const { node } = context;
  const given = intsOf(node, 'axes') ?? ((node.inputs[1] ?? '') === '' ? [] : context.numbers(1));
  if (given === undefined) return undefined;
  if (given.length > 0) return new Set(given.map((axis) => normalizeAxis(axis, rank)));
  return new Set(intOf(node, 'noop_with_empty_axes', 0) === 1 ? [] : Array.from({ length: rank }, (_, axis) => axis));
}

const sum = reduction((ties, axis) => ties.free(axis));
const statistic = reduction((ties, axis) => ties.statistic(axis));

/** All axes but `axis`, which gives positions. */
const position: AxisRule = ({ node, inputs }, ties) => {
  const rank = inputs[0]!.length;
  const along = normalizeAxis(intOf(node, 'axis', 0), rank);
  const keeps = intOf(node, 'keepdims', 1) === 1;
  for (let axis = 0; axis < rank; axis++) {
    if (axis !== along) ties.same(input(0, axis), output(0, axis > along && !keeps ? axis - 1 : axis));
  }
};

export const REDUCTION = {
  ArgMax: position,
  ArgMin: position,
  ReduceL1: sum,
  ReduceL2: sum,
  ReduceLogSum: sum,
  ReduceLogSumExp: statistic,
  ReduceMax: statistic,
  ReduceMean: statistic,
  ReduceMin: statistic,
  ReduceProd: statistic,
  ReduceSum: sum,
  ReduceSumSquare: sum,
} satisfies Record<string, AxisRule>;
