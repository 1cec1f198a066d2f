import { int, intOf, stringOf, type Value } from '../../graph/index.ts';
import { type GradientContext, rule } from '../rule.ts';
import { reshapeLike } from '../shapes.ts';

/** Each element goes to one place: the gradient goes back the way it came. */
export const SPACE = {
  DepthToSpace: rule((context) => {
    const { build, node } = context;
    const blocksize = int(intOf(node, 'blocksize', 1));
    const blocks = build.op('SpaceToDepth', [context.outputGradient(0)], { blocksize });
    return [stringOf(node, 'mode', 'DCR') === 'CRD' ? channelsFirst(context, blocks) : blocks];
  }),
  SpaceToDepth: rule((context) => {
    const blocksize = int(intOf(context.node, 'blocksize', 1));
    return [context.build.op('DepthToSpace', [context.outputGradient(0)], { blocksize })];
  }),
} as const;

/** [N, b² C, H, W] with the block's places outside (DCR) to the same with the channels outside (CRD). */
function channelsFirst(context: GradientContext, value: Value): Value {
  const { build, node } = context;
  const x = context.input(0);
  const places = intOf(node, 'blocksize', 1) ** 2;
  const shape = context.shapeOf(x);
  const channels = shape[1];
  const pixels = build.reduceProd(build.slice(build.shape(x), [2], [4], [0]), [0]);
  const split =
    typeof channels === 'number'
      ? build.int64s([0, places, channels / places, -1]) // [N, b², C, H W]
      : build.concat([build.int64s([0, places, -1]), pixels], 0);
  const turned = build.transpose(build.reshape(value, split), [0, 2, 1, 3]);
  return reshapeLike(context, turned, undefined, { value: x, shape });
}
