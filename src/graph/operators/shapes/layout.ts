import { sizeOf, stridesOf } from '../../../base/shape.ts';
import { intOf, intsOf } from '../../attributes.ts';
import {
  broadcastShapes,
  divideDimensions,
  formatShape,
  multiplyDimensions,
  productOfDimensions,
} from '../../dimension.ts';
import type { Dimension, Shape } from '../../ir.ts';
import type { ShapeContext, ShapeRule } from '../shape-rule.ts';
import { broadcastElements, selectElements } from './element-arithmetic.ts';
import {
  axesWithin,
  elementTensorOf,
  hasInput,
  inferredTensor,
  isConcrete,
  isSmall,
  numbersOfInput,
  shapeError,
} from './inferred.ts';

/** 0 copies the dimension at its place (unless `allowzero`), -1 takes what is left. A symbolic element is taken not to be 0. */
const reshape: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  // Before operator set 5 the shape was an attribute.
  const target = intsOf(context.node, 'shape') ?? targetShape(context, 1);
  return [inferredTensor(type.dtype, target && reshaped(context, type.shape, target), context.elements(0))];
};

/** A shape given as an input: its elements, or as many unknown ones as it has, or undefined. */
function targetShape(context: ShapeContext, index: number): readonly Dimension[] | undefined {
  const elements = context.elements(index);
  if (elements !== undefined) return elements;
  const count = context.input(index)?.shape?.[0];
  return typeof count === 'number' && count <= 64 ? new Array<null>(count).fill(null) : undefined;
}

function reshaped(context: ShapeContext, source: Shape | undefined, target: readonly Dimension[]): Shape {
  const allowZero = intOf(context.node, 'allowzero', 0) !== 0;
  const describe = (): string => `cannot reshape ${formatShape(source)} to ${formatShape(target)}`;
  const dims: Dimension[] = [];
  const copied = new Set<number>();
  const open: number[] = [];
  for (const [axis, dim] of target.entries()) {
    if (dim === 0 && !allowZero) {
      if (source !== undefined && axis >= source.length) {
        throw shapeError(context, `${describe()}: 0 at axis ${axis} has no dimension to copy`);
      }
      copied.add(axis);
      dims.push(source?.[axis] ?? null);
    } else if (dim === -1) {
      if (target.indexOf(-1) < axis) throw shapeError(context, `${describe()}: more than one -1`);
      open.push(axis);
      dims.push(null);
    } else if (typeof dim === 'number' && dim < 0) {
      throw shapeError(context, `${describe()}: expected -1, 0 or more at axis ${axis}`);
    } else {
      if (dim === null) open.push(axis);
      dims.push(dim);
    }
  }
  if (source === undefined) return dims;
  // A dimension that is copied stands on both sides, known or not; so does an unknown element that may copy it.
  const from = source.filter((_, axis) => !copied.has(axis));
  const to: Dimension[] = [];
  for (const [axis, dim] of dims.entries()) {
    if (copied.has(axis) || open.includes(axis)) continue;
    const same = typeof dim === 'string' ? from.indexOf(dim) : -1;
    if (same < 0) to.push(dim);
    else from.splice(same, 1);
  }
  const total = productOfDimensions(from);
  const others = productOfDimensions(to);
  if (open.length === 1) {
    const rest = others === 1 ? total : divideDimensions(total, others);
    if (typeof total === 'number' && typeof others === 'number' && others !== 0 && total % others !== 0) {
      throw shapeError(context, `${describe()}: ${total} elements do not divide by ${others}`);
    }
    dims[open[0]!] = total === 0 && others === 0 ? null : rest;
  } else if (open.length === 0 && typeof total === 'number' && typeof others === 'number' && total !== others) {
    // Where a dimension that both sides have is 0, the others do not matter.
    if (!(source.includes(0) && dims.includes(0)))
      throw shapeError(context, `${describe()}: ${total} elements and ${others}`);
  }
  return dims;
}

const flatten: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  const { shape } = type;
  if (shape === undefined) return [inferredTensor(type.dtype, [null, null])];
  const given = intOf(context.node, 'axis', 1);
  if (given < -shape.length || given > shape.length) {
    throw shapeError(context, `axis is ${given}, expected one in [${-shape.length}, ${shape.length}]`);
  }
  const axis = given < 0 ? given + shape.length : given;
  const dims = [productOfDimensions(shape.slice(0, axis)), productOfDimensions(shape.slice(axis))];
  return [inferredTensor(type.dtype, dims, context.elements(0))];
};

/** The `axes` attribute, or from operator set 13 the input. */
function axesOf(context: ShapeContext): readonly number[] | 'unknown' | undefined {
  const attribute = intsOf(context.node, 'axes');
  if (attribute !== undefined) return attribute;
  return hasInput(context.node, 1) ? (numbersOfInput(context, 1) ?? 'unknown') : undefined;
}

const squeeze: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  const { shape } = type;
  const given = axesOf(context);
  if (shape === undefined) return [inferredTensor(type.dtype, undefined)];
  if (given === 'unknown') {
    const count = context.input(1)?.shape?.[0];
    const rank = typeof count === 'number' ? shape.length - count : -1;
    return [inferredTensor(type.dtype, rank < 0 ? undefined : new Array<null>(rank).fill(null))];
  }
  if (given === undefined) {
    // Which axes go depends on dimensions that nobody knows.
    if (!isConcrete(shape)) return [inferredTensor(type.dtype, undefined)];
    return [
      inferredTensor(
        type.dtype,
        shape.filter((dim) => dim !== 1),
        context.elements(0),
      ),
    ];
  }
  const axes = new Set(axesWithin(context, given, shape.length));
  for (const axis of axes) {
    const dim = shape[axis]!;
    if (typeof dim === 'number' && dim !== 1) {
      throw shapeError(context, `axis ${axis} of ${formatShape(shape)} is ${dim}, expected 1`);
    }
  }
  const kept = shape.filter((_, axis) => !axes.has(axis));
  return [inferredTensor(type.dtype, kept, context.elements(0))];
};

const unsqueeze: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  const { shape } = type;
  const given = axesOf(context) ?? [];
  if (shape === undefined) return [inferredTensor(type.dtype, undefined)];
  if (given === 'unknown') {
    const count = context.input(1)?.shape?.[0];
    const rank = typeof count === 'number' ? shape.length + count : -1;
    return [inferredTensor(type.dtype, rank < 0 || rank > 64 ? undefined : new Array<null>(rank).fill(null))];
  }
  const rank = shape.length + given.length;
  const axes = new Set(axesWithin(context, given, rank));
  let next = 0;
  const dims = Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : shape[next++]!));
  return [inferredTensor(type.dtype, dims, context.elements(0))];
};

const transpose: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  const { shape } = type;
  const permutation = intsOf(context.node, 'perm');
  if (shape === undefined) {
    return [inferredTensor(type.dtype, permutation && new Array<null>(permutation.length).fill(null))];
  }
  const order = permutation ?? [...shape.keys()].reverse();
  if (order.length !== shape.length || new Set(order).size !== order.length || order.some((axis) => !(axis in shape))) {
    throw shapeError(context, `perm [${order.join(', ')}] is no order of the axes of ${formatShape(shape)}`);
  }
  const dims = order.map((axis) => shape[axis]!);
  const source = elementTensorOf(context.inputValue(0));
  if (source === undefined || !isConcrete(dims)) return [inferredTensor(type.dtype, dims)];
  const strides = stridesOf(source.dims);
  const moved = selectElements(
    source.elements,
    dims,
    order.map((axis) => strides[axis]!),
    0,
  );
  return [inferredTensor(type.dtype, dims, moved)];
};

const expand: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  const target = targetShape(context, 1);
  if (type.shape === undefined || target === undefined) return [inferredTensor(type.dtype, undefined)];
  const shape = broadcastShapes([type.shape, target]);
  if (shape === undefined) {
    throw shapeError(context, `shapes do not broadcast: ${formatShape(type.shape)} and ${formatShape(target)}`);
  }
  const source = elementTensorOf(context.inputValue(0));
  const elements = source && isSmall(shape) ? broadcastElements(source, shape) : undefined;
  return [inferredTensor(type.dtype, shape, elements)];
};

const tile: ShapeRule = (context) => {
  const type = context.input(0);
  if (type === undefined) return [undefined];
  const { shape } = type;
  // In operator set 1 one axis was repeated, which inputs 1 and 2 tell.
  const repeats = context.opset < 6 ? undefined : context.elements(1);
  if (shape === undefined)
    return [
      inferredTensor(
        type.dtype,
        repeats?.map(() => null),
      ),
    ];
  if (repeats === undefined)
    return [
      inferredTensor(
        type.dtype,
        shape.map(() => null),
      ),
    ];
  if (repeats.length !== shape.length) {
    throw shapeError(context, `${formatShape(shape)} needs ${shape.length} repeats, got ${formatShape(repeats)}`);
  }
  const dims = shape.map((dim, axis) => multiplyDimensions(dim, repeats[axis]!));
  const source = elementTensorOf(context.inputValue(0));
  if (source === undefined || !isSmall(dims)) return [inferredTensor(type.dtype, dims)];
  const strides = stridesOf(dims);
  const sourceStrides = stridesOf(source.dims);
  const elements = Array.from({ length: sizeOf(dims) }, (_, position) => {
    let from = 0;
    for (let axis = 0; axis < dims.length; axis++) {
      from += (Math.floor(position / strides[axis]!) % source.dims[axis]!) * sourceStrides[axis]!;
    }
    return source.elements[from]!;
  });
  return [inferredTensor(type.dtype, dims, elements)];
};

export const LAYOUT = {
  Expand: expand,
  Flatten: flatten,
  Reshape: reshape,
  Squeeze: squeeze,
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
} satisfies Record<string, ShapeRule>;
