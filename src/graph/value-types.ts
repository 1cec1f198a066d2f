import { equalDimensions, formatShape, unifyShapes } from './dimension.ts';
import type { Shape, ValueType } from './ir.ts';

/**
 * The type that two statements about one value come to: what either knows, with the dimensions' names of the first.
 * Undefined where they contradict each other.
 */
export function unifyTypes(first: ValueType, second: ValueType): ValueType | undefined {
  if (second.kind === 'undefined') return first;
  if (first.kind === 'undefined') return second;
  if (
    (first.kind === 'tensor' && second.kind === 'tensor') ||
    (first.kind === 'sparseTensor' && second.kind === 'sparseTensor')
  ) {
    if (first.dtype !== second.dtype && first.dtype !== 'undefined' && second.dtype !== 'undefined') return undefined;
    const dtype = first.dtype === 'undefined' ? second.dtype : first.dtype;
    if (first.shape === undefined || second.shape === undefined)
      return withShape(first, dtype, first.shape ?? second.shape);
    const shape = unifyShapes(first.shape, second.shape);
    return shape && withShape(first, dtype, shape);
  }
  if (first.kind === 'sequence' && second.kind === 'sequence') {
    const element = unifyTypes(first.element, second.element);
    return element && { ...first, element };
  }
  if (first.kind === 'optional' && second.kind === 'optional') {
    const element = unifyTypes(first.element, second.element);
    return element && { ...first, element };
  }
  if (first.kind === 'map' && second.kind === 'map') {
    const value = first.key === second.key ? unifyTypes(first.value, second.value) : undefined;
    return value && { ...first, value };
  }
  return first.kind === second.kind ? first : undefined;
}

/**
 * The type of a value that is of one type or the other: only what both have. Undefined where they have nothing in
 * common.
 */
export function joinTypes(a: ValueType, b: ValueType): ValueType | undefined {
  if (a.kind === 'tensor' && b.kind === 'tensor') {
    if (a.dtype !== b.dtype) return undefined;
    if (a.shape?.length !== b.shape?.length || a.shape === undefined) return { kind: 'tensor', dtype: a.dtype };
    const shape = a.shape.map((dim, axis) => (equalDimensions(dim, b.shape![axis]!) ? dim : null));
    return { kind: 'tensor', dtype: a.dtype, shape };
  }
  if (a.kind === 'sequence' && b.kind === 'sequence') {
    const element = joinTypes(a.element, b.element);
    return element && { kind: 'sequence', element };
  }
  if (a.kind === 'optional' && b.kind === 'optional') {
    const element = joinTypes(a.element, b.element);
    return element && { kind: 'optional', element };
  }
  return JSON.stringify(a) === JSON.stringify(b) ? a : undefined;
}

/** How messages write a type: `float32[batch, 8]`, `sequence(int64[…])`. */
export function formatType(type: ValueType): string {
  switch (type.kind) {
    case 'tensor':
      return `${type.dtype}${formatShape(type.shape)}`;
    case 'sparseTensor':
      return `sparse ${type.dtype}${formatShape(type.shape)}`;
    case 'sequence':
    case 'optional':
      return `${type.kind}(${formatType(type.element)})`;
    case 'map':
      return `map(${type.key}, ${formatType(type.value)})`;
    case 'opaque':
      return `opaque(${type.domain ?? ''}.${type.name ?? ''})`;
    case 'undefined':
      return 'undefined';
  }
}

function withShape<T extends ValueType & { readonly kind: 'tensor' | 'sparseTensor' }>(
  type: T,
  dtype: T['dtype'],
  shape: Shape | undefined,
): T {
  if (dtype === type.dtype && shape === type.shape) return type;
  return { ...type, dtype, ...(shape && { shape }) };
}
