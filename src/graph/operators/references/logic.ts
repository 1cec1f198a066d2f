import { codesOf, float64Of, isLongInteger } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { broadcastDims, sizeOf } from '../../../base/shape.ts';
import { type Tensor, tensor } from '../../../base/tensor.ts';
import { intOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { operands, zip } from './elementwise.ts';
import { required, sameTypes } from './inputs.ts';
import { ascending, broadcastPositions } from './positions.ts';
import { join, take } from './take.ts';

type Element = number | bigint | string;

export const LOGIC = {
  And: truth((a, b) => a && b),
  Equal: comparison((a, b) => a === b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  IsInf: (context) => {
    const positive = intOf(context.node, 'detect_positive', 1) === 1;
    const negative = intOf(context.node, 'detect_negative', 1) === 1;
    return [predicate(required(context, 0), (x) => (positive && x === Infinity) || (negative && x === -Infinity))];
  },
  IsNaN: (context) => [predicate(required(context, 0), Number.isNaN)],
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Not: (context) => [predicate(required(context, 0), (x) => x === 0)],
  Or: truth((a, b) => a || b),
  Where: choose,
  Xor: truth((a, b) => a !== b),
} satisfies Record<string, Reference>;

function predicate(x: Tensor, holds: (x: number) => boolean): Tensor {
  return tensor(
    'bool',
    x.dims,
    Uint8Array.from(float64Of(x), (value) => (holds(value) ? 1 : 0)),
  );
}

/** What compares like the elements themselves: exact bigints for 64-bit integers, strings, else float64. */
function comparable(x: Tensor): ArrayLike<Element> {
  if (x.dtype === 'string' || isLongInteger(x.dtype)) return codesOf(x) as ArrayLike<Element>;
  return float64Of(x);
}

function comparison(holds: (a: Element, b: Element) => boolean): Reference {
  return (context) => {
    const [a, b] = operands(context);
    sameTypes([a, b]);
    const dims = broadcastDims(a.dims, b.dims);
    const results = zip(comparable(a), a.dims, comparable(b), b.dims, dims, holds);
    return [tensor('bool', dims, Uint8Array.from(results, Number))];
  };
}

function truth(holds: (a: boolean, b: boolean) => boolean): Reference {
  return (context) => {
    const [a, b] = operands(context);
    for (const { dtype } of [a, b])
      if (dtype !== 'bool') throw new LatheError('shape', `expected inputs of type bool, got ${dtype}`);
    const dims = broadcastDims(a.dims, b.dims);
    const results = zip(float64Of(a), a.dims, float64Of(b), b.dims, dims, (x, y) => holds(x !== 0, y !== 0));
    return [tensor('bool', dims, Uint8Array.from(results, Number))];
  };
}

function choose(context: ReferenceContext): readonly Tensor[] {
  const condition = required(context, 0);
  const then = required(context, 1);
  const otherwise = required(context, 2);
  if (condition.dtype !== 'bool') throw new LatheError('shape', `condition: expected bool, got ${condition.dtype}`);
  const dims = broadcastDims(condition.dims, then.dims, otherwise.dims);
  const size = sizeOf(dims);
  const flags = condition.data as Uint8Array;
  const flagAt = broadcastPositions(condition.dims, dims) ?? ascending(size);
  const thenAt = broadcastPositions(then.dims, dims) ?? ascending(size);
  const otherwiseAt = broadcastPositions(otherwise.dims, dims) ?? ascending(size);
  const second = sizeOf(then.dims);
  const from = new Int32Array(size);
  for (let index = 0; index < size; index++)
    from[index] = flags[flagAt[index]!] !== 0 ? thenAt[index]! : second + otherwiseAt[index]!;
  return [take(join([then, otherwise]), from, dims)];
}
