import { DATA_TYPES, type DataType } from '../../../base/dtype.ts';
import { LatheError } from '../../../base/errors.ts';
import { sizeOf } from '../../../base/shape.ts';
import { describeNode } from '../../attributes.ts';
import { formatShape } from '../../dimension.ts';
import type { Dimension, Node, Shape, TensorType } from '../../ir.ts';
import type { InferredValue, ShapeContext } from '../shape-rule.ts';

/** How many elements of a value inference follows: shapes, axes and small masks, not weights. */
export const ELEMENT_LIMIT = 1024;

/** A tensor whose elements are known, at least in part. */
export interface ElementTensor {
  readonly dims: readonly number[];
  readonly elements: readonly Dimension[];
}

/** The type of a dense tensor, with its elements where they are known and few. */
export function inferredTensor(
  dtype: DataType,
  shape: Shape | undefined,
  elements?: readonly Dimension[] | undefined,
): InferredValue {
  const type = { kind: 'tensor', dtype, ...(shape && { shape }) } as const;
  if (elements === undefined || elements.length > ELEMENT_LIMIT || !followsElements(dtype)) return { type };
  return isConcrete(shape) && sizeOf(shape) === elements.length ? { type, elements } : { type };
}

/** Integers and booleans; floats because lengths are computed in them here and there. */
function followsElements(dtype: DataType): boolean {
  return isInteger(dtype) || dtype === 'bool' || dtype === 'float32' || dtype === 'float64';
}

export function isInteger(dtype: DataType): boolean {
  const { kind, bits } = DATA_TYPES[dtype];
  return (kind === 'int' || kind === 'uint') && bits >= 8;
}

export function isConcrete(shape: Shape | undefined): shape is readonly number[] {
  return shape?.every((dim) => typeof dim === 'number') ?? false;
}

/** Whether a tensor of this shape has few enough elements to follow them. */
export function isSmall(shape: Shape | undefined): shape is readonly number[] {
  return isConcrete(shape) && sizeOf(shape) <= ELEMENT_LIMIT;
}

export function elementTensorOf(value: InferredValue | undefined): ElementTensor | undefined {
  if (value?.elements === undefined || value.type.kind !== 'tensor') return undefined;
  return isConcrete(value.type.shape) ? { dims: value.type.shape, elements: value.elements } : undefined;
}

/** The elements of an input where each of them is a number. */
export function numbersOfInput(context: ShapeContext, index: number): readonly number[] | undefined {
  const elements = context.elements(index);
  return elements !== undefined && isConcrete(elements) ? elements : undefined;
}

/** Whether an optional input is there. */
export function hasInput(node: Node, index: number): boolean {
  return (node.inputs[index] ?? '') !== '';
}

export function shapeError(context: ShapeContext, message: string): LatheError {
  return new LatheError('shape', `${describeNode(context.node)}: ${message}`);
}

/** `axis` counted from the front; an error names the node. */
export function axisWithin(context: ShapeContext, axis: number, rank: number, name = 'axis'): number {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw shapeError(context, `${name} is ${axis}, expected one in [${-rank}, ${rank})`);
}

export function axesWithin(context: ShapeContext, axes: readonly number[], rank: number, name = 'axes'): number[] {
  const seen = new Set<number>();
  for (const axis of axes) {
    const normal = axisWithin(context, axis, rank, name);
    if (seen.has(normal)) throw shapeError(context, `${name} [${axes.join(', ')}] name axis ${normal} twice`);
    seen.add(normal);
  }
  return [...seen];
}

/** Holds an input to a rank; nothing to hold where its rank is unknown. */
export function expectRank(context: ShapeContext, type: TensorType | undefined, rank: number, index: number): void {
  if (type?.shape === undefined || type.shape.length === rank) return;
  throw shapeError(
    context,
    `input "${context.node.inputs[index]}" needs ${rank} dimensions, got ${formatShape(type.shape)}`,
  );
}
