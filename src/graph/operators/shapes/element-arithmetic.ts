import { DATA_TYPES, type DataType, isFloat } from '../../../base/dtype.ts';
import { sizeOf, stridesOf } from '../../../base/shape.ts';
import {
  addDimensions,
  differentDimensions,
  divideDimensions,
  divideDimensionsExactly,
  equalDimensions,
  isAtMost,
  isBelow,
  maximumOfDimensions,
  minimumOfDimensions,
  moduloDimensions,
  multiplyDimensions,
  subtractDimensions,
} from '../../dimension.ts';
import type { Dimension } from '../../ir.ts';
import type { ElementTensor } from './inferred.ts';

export type ElementFunction = (a: Dimension, b: Dimension, dtype: DataType) => Dimension;

/**
 * What operators make of known and symbolic elements; booleans are 0 and 1. Results that do not fit the element type wrap
 * around at run time: they are null here.
 */
export const ELEMENT_FUNCTIONS = {
  Add: arithmetic(addDimensions, (a, b) => a + b),
  Sub: arithmetic(subtractDimensions, (a, b) => a - b),
  Mul: arithmetic(multiplyDimensions, (a, b) => a * b),
  Div: arithmetic(divideDimensions, (a, b) => a / b, divideDimensionsExactly),
  Max: (a, b) => maximumOfDimensions(a, b),
  Min: (a, b) => minimumOfDimensions(a, b),
  Equal: comparison((a, b) => (equalDimensions(a, b) ? 1 : differentDimensions(a, b) ? 0 : null)),
  Less: comparison((a, b) => (isBelow(a, b) ? 1 : isAtMost(b, a) ? 0 : null)),
  LessOrEqual: comparison((a, b) => (isAtMost(a, b) ? 1 : isBelow(b, a) ? 0 : null)),
  Greater: comparison((a, b) => (isBelow(b, a) ? 1 : isAtMost(a, b) ? 0 : null)),
  GreaterOrEqual: comparison((a, b) => (isAtMost(b, a) ? 1 : isBelow(a, b) ? 0 : null)),
  And: (a, b) => (a === 0 || b === 0 ? 0 : a === 1 && b === 1 ? 1 : null),
  Or: (a, b) => (a === 1 || b === 1 ? 1 : a === 0 && b === 0 ? 0 : null),
  Xor: (a, b) => (typeof a === 'number' && typeof b === 'number' ? Number(a !== b) : null),
} satisfies Record<string, ElementFunction>;

/** The rest of an integer division: with the sign of the divisor, or with `fmod` that of the dividend. */
export function moduloFunction(fmod: boolean): ElementFunction {
  return (a, b) => {
    if (typeof a !== 'number' || typeof b !== 'number' || b === 0) return moduloDimensions(a, b);
    const rest = a % b;
    return (fmod || rest === 0 || rest < 0 === b < 0 ? rest : rest + b) + 0;
  };
}

/** Applies a function to two tensors, broadcast to `dims`. */
export function combineElements(
  a: ElementTensor,
  b: ElementTensor,
  dims: readonly number[],
  dtype: DataType,
  combine: ElementFunction,
): Dimension[] {
  const left = broadcastElements(a, dims);
  const right = broadcastElements(b, dims);
  return left.map((element, index) => combine(element, right[index]!, dtype));
}

/** The elements of a tensor repeated along the dimensions in which `dims` is larger. */
export function broadcastElements({ dims: from, elements }: ElementTensor, dims: readonly number[]): Dimension[] {
  const offset = dims.length - from.length;
  const strides = stridesOf(from);
  const sourceStrides = dims.map((_, axis) =>
    axis < offset || from[axis - offset] === 1 ? 0 : strides[axis - offset]!,
  );
  return selectElements(elements, dims, sourceStrides, 0);
}

/** Walks `dims` and reads an element at each place, `start` plus the index along each axis times its stride. */
export function selectElements(
  elements: readonly Dimension[],
  dims: readonly number[],
  strides: readonly number[],
  start: number,
): Dimension[] {
  const size = sizeOf(dims);
  const out = new Array<Dimension>(size);
  const index = new Array<number>(dims.length).fill(0);
  let position = start;
  for (let count = 0; count < size; count++) {
    out[count] = elements[position] ?? null;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      position += strides[axis]!;
      if (++index[axis]! < dims[axis]!) break;
      position -= strides[axis]! * dims[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** An element after a cast; a number that the type does not hold is null. */
export function castElement(element: Dimension, to: DataType): Dimension {
  if (to === 'bool') return typeof element === 'number' ? Number(element !== 0) : null;
  if (typeof element !== 'number') return element;
  return storable(isFloat(to) ? element : Math.trunc(element) + 0, to);
}

/** Symbols stand for integers, also as elements of floats: there they are divided only where nothing is lost. */
function arithmetic(
  ofIntegers: (a: Dimension, b: Dimension) => Dimension,
  ofNumbers: (a: number, b: number) => number,
  ofSymbols = ofIntegers,
): ElementFunction {
  return (a, b, dtype) => {
    const [left, right] = [trusted(a), trusted(b)];
    if (!isFloat(dtype)) return storable(ofIntegers(left, right), dtype);
    if (typeof left === 'number' && typeof right === 'number') return storable(ofNumbers(left, right), dtype);
    return isWhole(left) && isWhole(right) ? ofSymbols(left, right) : null;
  };
}

function comparison(compare: (a: Dimension, b: Dimension) => Dimension): ElementFunction {
  return (a, b) => compare(trusted(a), trusted(b));
}

function isWhole(element: Dimension): boolean {
  return typeof element !== 'number' || Number.isInteger(element);
}

/** Beyond 2^53 an element is only near its value (like INT64_MAX, the end of a slice): good to clamp, not to compute with. */
function trusted(element: Dimension): Dimension {
  return typeof element === 'number' && Math.abs(element) > Number.MAX_SAFE_INTEGER ? null : element;
}

/** What a tensor of the type keeps of a result. */
function storable(value: Dimension, dtype: DataType): Dimension {
  if (typeof value !== 'number') return value;
  if (isFloat(dtype)) {
    const rounded = dtype === 'float32' ? Math.fround(value) : value;
    return Number.isFinite(rounded) ? rounded : null;
  }
  const { kind, bits } = DATA_TYPES[dtype];
  if (bits === 64) return kind === 'uint' && value < 0 ? null : value;
  const low = kind === 'int' ? -(2 ** (bits - 1)) : 0;
  const high = kind === 'int' ? 2 ** (bits - 1) : 2 ** bits;
  return value >= low && value < high ? value : null;
}
