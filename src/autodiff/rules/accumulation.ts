import { int, intOf } from '../../graph/index.ts';
import { rule } from '../rule.ts';

export const ACCUMULATION = {
  // The sum from the other end.
  CumSum: rule((context) => {
    const { build, node } = context;
    const attributes = {
      exclusive: int(intOf(node, 'exclusive', 0)),
      reverse: int(intOf(node, 'reverse', 0) === 0 ? 1 : 0),
    };
    return [build.op('CumSum', [context.outputGradient(0), context.input(1)], attributes)];
  }),
} as const;
