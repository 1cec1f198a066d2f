import { normalizeAxis } from '../../../base/index.ts';
import { equalDimensions, intOf, intsOf, productOfDimensions, type Shape } from '../../../graph/index.ts';
import { type AxisContext, type AxisRule, input, output } from '../axis-rule.ts';

const transpose: AxisRule = ({ node, inputs }, ties) => {
  const order = intsOf(node, 'perm') ?? [...inputs[0]!.keys()].reverse();
  for (const [to, from] of order.entries()) ties.same(input(0, from), output(0, to));
};

/**
 * Row-major order is kept, so axes of input and output fall into runs with the same number of elements. Where one axis
 * becomes several, or several one, what is cut is the outermost of them: whole heads, whole channels. The inner ones
 * (the size of a head, pixels) keep their length.
 */
const reshaped: AxisRule = ({ inputs, outputs }, ties) => {
  for (const [from, to] of runs(inputs[0]!, outputs[0]!)) {
    const a = longer(inputs[0]!, from).map((axis) => input(0, axis));
    const b = longer(outputs[0]!, to).map((axis) => output(0, axis));
    if (a.length === 1 && b.length === 1) ties.same(a[0]!, b[0]!);
    else if (a.length === 1 && b.length > 1) ties.blocks(b[0]!, a[0]!);
    else if (a.length > 1 && b.length === 1) ties.blocks(a[0]!, b[0]!);
  }
};

type Run = readonly [from: readonly number[], to: readonly number[]];

/** The shortest runs of axes of both sides that hold the same number of elements. */
function runs(from: Shape, to: Shape): readonly Run[] {
  const meet = (i: number, j: number): boolean =>
    equalDimensions(productOfDimensions(from.slice(0, i)), productOfDimensions(to.slice(0, j))) ||
    equalDimensions(productOfDimensions(from.slice(i)), productOfDimensions(to.slice(j)));
  const found: Run[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const next = nextMeeting(i, j, from.length, to.length, meet);
    found.push([range(i, next[0]), range(j, next[1])]);
    [i, j] = next;
  }
  return found;
}

function nextMeeting(
  i: number,
  j: number,
  iEnd: number,
  jEnd: number,
  meet: (i: number, j: number) => boolean,
): readonly [number, number] {
  for (let steps = 1; i + j + steps < iEnd + jEnd; steps++) {
    for (let ahead = 0; ahead <= steps; ahead++) {
      const [toI, toJ] = [i + ahead, j + steps - ahead];
      if (toI <= iEnd && toJ <= jEnd && meet(toI, toJ)) return [toI, toJ];
    }
  }
  return [iEnd, jEnd];
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function longer(shape: Shape, axes: readonly number[]): readonly number[] {
  return axes.filter((axis) => shape[axis] !== 1);
}

const expand: AxisRule = ({ inputs, outputs }, ties) => {
  const ahead = outputs[0]!.length - inputs[0]!.length;
  for (const axis of inputs[0]!.keys()) {
    if (inputs[0]![axis] !== 1) ties.same(input(0, axis), output(0, axis + ahead));
  }
};

const tile: AxisRule = (context, ties) => {
  const repeats = context.numbers(1);
  for (const axis of context.inputs[0]!.keys()) if (repeats?.[axis] === 1) ties.same(input(0, axis), output(0, axis));
};

const concat: AxisRule = ({ node, inputs, outputs }, ties) => {
  const rank = outputs[0]!.length;
  const along = normalizeAxis(intOf(node, 'axis', 1), rank);
  let offset: number | undefined = 0;
  for (const [index, shape] of inputs.entries()) {
    for (let axis = 0; axis < rank; axis++) if (axis !== along) ties.same(input(index, axis), output(0, axis));
    const length = shape![along];
    if (offset !== undefined && typeof length === 'number') {
      ties.part(output(0, along), input(index, along), offset);
      offset += length;
    } else offset = undefined;
  }
};

const split: AxisRule = ({ node, inputs, outputs }, ties) => {
  const rank = inputs[0]!.length;
  const along = normalizeAxis(intOf(node, 'axis', 0), rank);
  let offset: number | undefined = 0;
  for (const [index, shape] of outputs.entries()) {
    if (shape === undefined) return;
    for (let axis = 0; axis < rank; axis++) if (axis !== along) ties.same(input(0, axis), output(index, axis));
    const length = shape[along];
    if (offset !== undefined && typeof length === 'number') {
      ties.part(input(0, along), output(index, along), offset);
      offset += length;
    } else offset = undefined;
  }
};

/** Axes that are not sliced; and sliced ones with step 1, of which the part that is read is the output. */
const slice: AxisRule = (context, ties) => {
  const shape = context.inputs[0]!;
  const part = slicedAxes(context);
  for (const axis of shape.keys()) {
    const own = part?.get(axis);
    if (part === undefined) continue;
    if (own === undefined) ties.same(input(0, axis), output(0, axis));
    else if (own.from !== undefined) ties.part(input(0, axis), output(0, axis), own.from);
  }
};

export interface SlicedAxis {
  /** Undefined where the part is no run of neighbours that is known. */
  readonly from: number | undefined;
  readonly to: number;
}

/** The axes that a Slice takes a part of; undefined where only a run tells. */
export function slicedAxes(context: AxisContext): ReadonlyMap<number, SlicedAxis> | undefined {
  const { node, inputs } = context;
  const shape = inputs[0]!;
  const given = (name: string, index: number): readonly number[] | undefined =>
    intsOf(node, name) ?? context.numbers(index);
  const starts = given('starts', 1);
  const ends = given('ends', 2);
  const hasAxes = node.attributes.has('axes') || (node.inputs[3] ?? '') !== '';
  const counted = starts ?? ends;
  const axes = hasAxes ? given('axes', 3) : counted?.map((_, axis) => axis);
  if (axes === undefined) return undefined;
  const hasSteps = (node.inputs[4] ?? '') !== '';
  const steps = hasSteps ? context.numbers(4) : axes.map(() => 1);
  return new Map(
    axes.map((axis, index): readonly [number, SlicedAxis] => {
      const at = normalizeAxis(axis, shape.length);
      const length = shape[at];
      const [start, end] = [starts?.[index], ends?.[index]];
      if (typeof length !== 'number' || start === undefined || end === undefined || steps?.[index] !== 1)
        return [at, { from: undefined, to: 0 }];
      const clamped = (value: number): number => Math.min(length, Math.max(0, value < 0 ? value + length : value));
      return [at, { from: clamped(start), to: Math.max(clamped(start), clamped(end)) }];
    }),
  );
}

/** Axes of the data but the one looked up in, around the axes of the indices. */
const gather: AxisRule = ({ node, inputs }, ties) => {
  const rank = inputs[0]!.length;
  const along = normalizeAxis(intOf(node, 'axis', 0), rank);
  const indices = inputs[1]!.length;
  for (let axis = 0; axis < rank; axis++) {
    if (axis !== along) ties.same(input(0, axis), output(0, axis < along ? axis : axis + indices - 1));
  }
  for (let axis = 0; axis < indices; axis++) ties.same(input(1, axis), output(0, along + axis));
};

/** All axes but the one along which elements are ordered or added up. */
const alongOne = (axisOf: (context: AxisContext) => number | undefined): AxisRule => {
  return (context, ties) => {
    const rank = context.inputs[0]!.length;
    const given = axisOf(context);
    if (given === undefined) return;
    const along = normalizeAxis(given, rank);
    for (const index of context.outputs.keys()) {
      for (let axis = 0; axis < rank; axis++) if (axis !== along) ties.same(input(0, axis), output(index, axis));
    }
  };
};

/** The axes of the indices, around the new one. */
const oneHot: AxisRule = ({ node, inputs, outputs }, ties) => {
  const along = normalizeAxis(intOf(node, 'axis', -1), outputs[0]!.length);
  for (const axis of inputs[0]!.keys()) ties.same(input(0, axis), output(0, axis < along ? axis : axis + 1));
};

/** Axes that nothing is added to. */
const pad: AxisRule = (context, ties) => {
  const pads = intsOf(context.node, 'pads') ?? context.numbers(1);
  const rank = context.inputs[0]!.length;
  if (pads === undefined || (context.node.inputs[3] ?? '') !== '') return;
  for (let axis = 0; axis < rank; axis++) {
    if (pads[axis] === 0 && pads[axis + rank] === 0) ties.same(input(0, axis), output(0, axis));
  }
};

/** The last two axes are what it looks at. */
const triangle: AxisRule = ({ inputs }, ties) => {
  for (let axis = 0; axis < inputs[0]!.length - 2; axis++) ties.same(input(0, axis), output(0, axis));
};

/** It reads no element: what it says of a length follows. */
const shapeOnly: AxisRule = ({ inputs }, ties) => {
  for (const axis of inputs[0]!.keys()) ties.free(input(0, axis));
};

export const LAYOUT = {
  Concat: concat,
  CumSum: alongOne((context) => context.numbers(1)?.[0]),
  Expand: expand,
  Flatten: reshaped,
  Gather: gather,
  OneHot: oneHot,
  Pad: pad,
  Reshape: reshaped,
  Shape: shapeOnly,
  Size: shapeOnly,
  Slice: slice,
  Split: split,
  Squeeze: reshaped,
  Tile: tile,
  TopK: alongOne(({ node }) => intOf(node, 'axis', -1)),
  Transpose: transpose,
  Trilu: triangle,
  Unsqueeze: reshaped,
} satisfies Record<string, AxisRule>;
