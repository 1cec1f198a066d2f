import { numbersOf } from '../../../base/tensor.ts';
import { floatOf, int, stringOf } from '../../attributes.ts';
import { becameInput, scalarLike, withAttributes, withDefault, withInput } from './attributes.ts';
import { both, first, type History, type Step, same, without, withoutConsumed } from './step.ts';

/** In operator set 1 two numbers: how often, along which axis. */
const repeats: Step = ({ node, typeOf, constantOf, build, refuse }) => {
  const rank = typeOf(0)?.shape?.length;
  const [tiles, axis] = [constantOf(1), constantOf(2)].map((value) => value && numbersOf(value)[0]);
  if (rank === undefined || tiles === undefined || axis === undefined) {
    throw refuse('tiles or an axis that are not constant, or an input of unknown rank');
  }
  const counts = new Array<number>(rank).fill(1);
  counts[axis] = tiles;
  return { ...node, inputs: [node.inputs[0]!, build.int64s(counts)] };
};

const renamedPads: Step = (context) => {
  const pads = context.node.attributes.get('paddings');
  return pads === undefined ? context.node : withAttributes(without('paddings')(context), { pads });
};

const padding: Step = (context) => {
  const { node } = context;
  const padded = becameInput('pads', 1)(context);
  const value = stringOf(node, 'mode', 'constant') === 'constant' ? floatOf(node, 'value', 0) : 0;
  const plain = without('value')({ ...context, node: padded });
  return value === 0 ? plain : withInput(plain, 2, scalarLike(context, value));
};

/** Before operator set 2 the sizes could be an input, of the element type of the tensor to split. */
const sizes: Step = ({ node, has, refuse }) => {
  if (has(1)) throw refuse('the sizes as an input');
  return { ...node, inputs: node.inputs.slice(0, 1) };
};

/** Equal parts are counted by an attribute since operator set 18. */
const parts: Step = ({ node, has }) =>
  has(1) ? node : withAttributes(node, { num_outputs: int(node.outputs.length) });

const range = both(becameInput('starts', 1), becameInput('ends', 2), becameInput('axes', 3));

export const LAYOUT = {
  Concat: { 1: first, 4: withDefault('axis', int(1)), 11: same, 13: same },
  Expand: { 8: first, 13: same },
  Flatten: { 1: first, 9: same, 11: same, 13: same, 21: same },
  Identity: { 1: first, 13: same, 14: same, 16: same, 19: same, 21: same },
  Pad: { 1: first, 2: renamedPads, 11: padding, 13: same, 18: same, 19: same, 21: same },
  Reshape: {
    1: first,
    5: both(withoutConsumed, becameInput('shape', 1)),
    13: same,
    14: same,
    19: same,
    21: same,
  },
  Shape: { 1: first, 13: same, 15: same, 19: same, 21: same },
  Size: { 1: first, 13: same, 19: same, 21: same },
  Slice: { 1: first, 10: range, 11: same, 13: same },
  Split: { 1: first, 2: sizes, 11: same, 13: becameInput('split', 1), 18: parts },
  Squeeze: { 1: first, 11: same, 13: becameInput('axes', 1, true), 21: same },
  Tile: { 1: first, 6: repeats, 13: same },
  Transpose: { 1: first, 13: same, 21: same },
  Unsqueeze: { 1: first, 11: same, 13: becameInput('axes', 1), 21: same },
} satisfies Record<string, History>;
