import { type DataType, normalizeAxis, tensorFrom } from '../../base/index.ts';
import { type Attribute, type GraphBuilder, int, intOf, ints, type Node, type Shape } from '../../graph/index.ts';
import { slicedAxes } from './axes/layout.ts';
import type { AxisContext } from './axis-rule.ts';

/** What a node becomes where lengths of its inputs and outputs have changed and the node says them itself. */
export type Adjustment = (node: AdjustedNode) => Node;

export interface AdjustedNode {
  readonly node: Node;
  readonly build: GraphBuilder;
  /** As it was. */
  readonly before: AxisContext;
  /** Shapes now; an output's is what it must be. */
  readonly inputs: readonly (Shape | undefined)[];
  readonly outputs: readonly (Shape | undefined)[];
  /** The elements of an input now: numbers, symbols, or null where unknown. */
  readonly elements: (index: number) => Shape | undefined;
  /** The elements of the inputs of the node that gives an input, where that is a Concat. */
  readonly pieces: (
    index: number,
  ) => readonly { readonly name: string; readonly elements: Shape | undefined }[] | undefined;
  /** The type that an input of integers has. */
  readonly dtypeOf: (index: number) => Exclude<DataType, 'string'>;
  /** Which indices of an axis of an input stay; undefined where all do. */
  readonly kept: (index: number, axis: number) => readonly boolean[] | undefined;
}

/** A shape given as input `index`: numbers in it that are no longer those of the output are written anew. */
function shapeInput(index: number): Adjustment {
  return (context) => {
    const given = context.elements(index);
    const wanted = context.outputs[0]!;
    if (given === undefined) return context.node;
    const offset = wanted.length - given.length;
    // 0 and -1 say of themselves what they mean, and 1 broadcasts.
    const next = given.map((element, at) => {
      const dim = wanted[at + offset]!;
      return typeof element === 'number' && element > 1 && typeof dim === 'number' ? dim : element;
    });
    if (next.every((element, at) => element === given[at])) return context.node;
    return withInput(context.node, index, writtenShape(context, index, given, next));
  };
}

function writtenShape({ node, build, pieces }: AdjustedNode, index: number, given: Shape, next: Shape): string {
  if (next.every((element) => typeof element === 'number')) return build.int64s(next as readonly number[]);
  const parts = pieces(index);
  if (parts?.every(({ elements }) => elements !== undefined)) {
    let at = 0;
    const written = parts.map(({ name, elements }) => {
      const own = next.slice(at, at + elements!.length);
      at += own.length;
      return own.every((element, i) => element === elements![i]) || !own.every((element) => typeof element === 'number')
        ? name
        : build.int64s(own as readonly number[]);
    });
    return build.concat(written, 0);
  }
  // However it is computed: what it is too much is taken off.
  const less = next.map((element, at) => (element === given[at] ? 0 : (element as number) - (given[at] as number)));
  return build.add(node.inputs[index]!, build.int64s(less));
}

/** Groups are as many as the weights have of the input's channels: fewer only where a group is a channel. */
const convolutionGroups: Adjustment = ({ node, inputs }) => {
  const groups = intOf(node, 'group', 1);
  const channels = inputs[0]?.[1];
  const own = inputs[1]?.[1];
  if (groups === 1 || typeof channels !== 'number' || typeof own !== 'number') return node;
  return withAttribute(node, 'group', int(channels / own));
};

const splitSizes: Adjustment = ({ node, build, before, outputs }) => {
  const rank = before.inputs[0]!.length;
  const along = normalizeAxis(intOf(node, 'axis', 0), rank);
  const sizes = outputs.map((shape) => shape?.[along]);
  const old = before.outputs.map((shape) => shape?.[along]);
  if (sizes.every((size, index) => size === old[index]) || !sizes.every((size) => typeof size === 'number'))
    return node;
  if (before.opset < 13) return withAttribute(node, 'split', ints(sizes as readonly number[]));
  const { attributes } = node;
  const rest = new Map([...attributes].filter(([name]) => name !== 'num_outputs'));
  return withInput({ ...node, attributes: rest }, 1, build.int64s(sizes as readonly number[]));
};

/** Where a part of an axis is taken, it begins and ends where what stays of it does. */
const sliceBounds: Adjustment = ({ node, build, before, kept, dtypeOf }) => {
  const axes = [...(slicedAxes(before) ?? [])];
  if (axes.every(([axis]) => kept(0, axis) === undefined)) return node;
  const given = (name: string, index: number): readonly number[] => intsFrom(before, name, index);
  const starts = [...given('starts', 1)];
  const ends = [...given('ends', 2)];
  for (const [index, [axis, { from, to }]] of axes.entries()) {
    const stays = kept(0, axis);
    if (stays === undefined || from === undefined) continue;
    const count = (end: number): number => stays.slice(0, end).filter(Boolean).length;
    starts[index] = count(from);
    ends[index] = count(to);
  }
  if (before.opset < 10) return withAttribute(withAttribute(node, 'starts', ints(starts)), 'ends', ints(ends));
  const written = (values: readonly number[]): string => build.constant(tensorFrom(dtypeOf(1), values));
  return withInput(withInput(node, 1, written(starts)), 2, written(ends));
};

function intsFrom({ node, numbers }: AxisContext, name: string, index: number): readonly number[] {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'ints' ? attribute.value.map(Number) : numbers(index)!;
}

function withInput(node: Node, index: number, name: string): Node {
  const inputs = Array.from({ length: Math.max(index + 1, node.inputs.length) }, (_, at) => node.inputs[at] ?? '');
  inputs[index] = name;
  return { ...node, inputs };
}

function withAttribute(node: Node, name: string, value: Attribute): Node {
  return { ...node, attributes: new Map([...node.attributes, [name, value]]) };
}

/** The operators that say lengths themselves. */
export const ADJUSTMENTS: Readonly<Record<string, Adjustment>> = {
  Conv: convolutionGroups,
  ConvTranspose: convolutionGroups,
  Expand: shapeInput(1),
  Reshape: shapeInput(1),
  Resize: shapeInput(3),
  Slice: sliceBounds,
  Split: splitSizes,
};
