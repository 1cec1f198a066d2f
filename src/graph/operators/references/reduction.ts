import type { DataType } from '../../../base/dtype.ts';
import {
  codesOf,
  float64Of,
  fromFloat64,
  fromIntegers,
  integersOf,
  isInteger,
  isLongInteger,
} from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { normalizeAxis } from '../../../base/shape.ts';
import { type Tensor, tensor } from '../../../base/tensor.ts';
import { intOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { listOf, required, scalarOf } from './inputs.ts';
import { type Lines, linesAlong } from './positions.ts';

type NumericType = Exclude<DataType, 'string'>;

/** What a reduction does to the elements of one line, given as positions: `start + offsets[k]`. */
interface Reduction {
  readonly float: (values: Float64Array, start: number, offsets: Int32Array) => number;
  readonly integer?: (values: readonly bigint[]) => bigint;
}

export const REDUCTION = {
  ArgMax: argument((candidate, best) => candidate > best),
  ArgMin: argument((candidate, best) => candidate < best),
  CumSum: cumulativeSum,
  ReduceL1: reduce({
    float: summing(Math.abs),
    integer: (values) => values.reduce((sum, x) => sum + (x < 0n ? -x : x), 0n),
  }),
  ReduceL2: reduce({
    float: (values, start, offsets) => Math.sqrt(sumOfSquares(values, start, offsets)),
    integer: (values) => BigInt(Math.trunc(Math.sqrt(Number(values.reduce((sum, x) => sum + x * x, 0n))))),
  }),
  ReduceLogSum: reduce({
    float: (values, start, offsets) => Math.log(sum(values, start, offsets)),
    integer: (values) => truncated(Math.log(Number(values.reduce((total, x) => total + x, 0n)))),
  }),
  ReduceLogSumExp: reduce({
    float: logSumExp,
    integer: (values) => truncated(logSumExp(Float64Array.from(values, Number), 0, Int32Array.from(values.keys()))),
  }),
  ReduceMax: reduce({
    float: (values, start, offsets) => {
      let best = -Infinity;
      for (let k = 0; k < offsets.length; k++) best = Math.max(best, values[start + offsets[k]!]!);
      return best;
    },
    integer: (values) => nonEmpty(values).reduce((best, x) => (x > best ? x : best)),
  }),
  ReduceMean: reduce({
    float: (values, start, offsets) => sum(values, start, offsets) / offsets.length,
    integer: (values) => nonEmpty(values).reduce((total, x) => total + x, 0n) / BigInt(values.length),
  }),
  ReduceMin: reduce({
    float: (values, start, offsets) => {
      let best = Infinity;
      for (let k = 0; k < offsets.length; k++) best = Math.min(best, values[start + offsets[k]!]!);
      return best;
    },
    integer: (values) => nonEmpty(values).reduce((best, x) => (x < best ? x : best)),
  }),
  ReduceProd: reduce({
    float: (values, start, offsets) => {
      let product = 1;
      for (let k = 0; k < offsets.length; k++) product *= values[start + offsets[k]!]!;
      return product;
    },
    integer: (values) => values.reduce((product, x) => product * x, 1n),
  }),
  ReduceSum: reduce({ float: sum, integer: (values) => values.reduce((total, x) => total + x, 0n) }),
  ReduceSumSquare: reduce({
    float: sumOfSquares,
    integer: (values) => values.reduce((total, x) => total + x * x, 0n),
  }),
} satisfies Record<string, Reference>;

export function sum(values: Float64Array, start: number, offsets: Int32Array): number {
  let total = 0;
  for (let k = 0; k < offsets.length; k++) total += values[start + offsets[k]!]!;
  return total;
}

function sumOfSquares(values: Float64Array, start: number, offsets: Int32Array): number {
  let total = 0;
  for (let k = 0; k < offsets.length; k++) total += values[start + offsets[k]!]! ** 2;
  return total;
}

function summing(map: (x: number) => number): Reduction['float'] {
  return (values, start, offsets) => {
    let total = 0;
    for (let k = 0; k < offsets.length; k++) total += map(values[start + offsets[k]!]!);
    return total;
  };
}

/** log Σ exp(x), shifted by the maximum so that nothing overflows. */
export function logSumExp(values: Float64Array, start: number, offsets: Int32Array): number {
  let maximum = -Infinity;
  for (let k = 0; k < offsets.length; k++) maximum = Math.max(maximum, values[start + offsets[k]!]!);
  if (!Number.isFinite(maximum)) return maximum;
  let total = 0;
  for (let k = 0; k < offsets.length; k++) total += Math.exp(values[start + offsets[k]!]! - maximum);
  return maximum + Math.log(total);
}

function truncated(value: number): bigint {
  return Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
}

function nonEmpty(values: readonly bigint[]): readonly bigint[] {
  if (values.length === 0) throw new LatheError('shape', 'integers have no result for an empty reduction');
  return values;
}

function reduce({ float, integer }: Reduction): Reference {
  return (context) => {
    const x = required(context, 0);
    const rank = x.dims.length;
    const given = listOf(context, 'axes', 1) ?? [];
    // Over the empty set of axes every element is its own reduction: ReduceSumSquare then still squares.
    const all = given.length === 0 && intOf(context.node, 'noop_with_empty_axes', 0) === 0;
    const axes = all ? x.dims.map((_, axis) => axis) : given.map((axis) => normalizeAxis(axis, rank));
    const dims = reducedDims(x.dims, axes, intOf(context.node, 'keepdims', 1) === 1);
    const { starts, offsets } = linesAlong(x.dims, axes);
    const dtype = x.dtype as NumericType;
    if ((isInteger(dtype) || dtype === 'bool') && integer !== undefined) {
      const values = integersOf(x);
      const results = Array.from(starts, (start) => integer(Array.from(offsets, (offset) => values[start + offset]!)));
      return [fromIntegers(dtype, dims, results)];
    }
    const values = float64Of(x);
    const out = new Float64Array(starts.length);
    for (let line = 0; line < out.length; line++) out[line] = float(values, starts[line]!, offsets);
    return [fromFloat64(dtype, dims, out)];
  };
}

export function reducedDims(dims: readonly number[], axes: readonly number[], keepDims: boolean): number[] {
  const along = new Set(axes);
  return keepDims ? dims.map((dim, axis) => (along.has(axis) ? 1 : dim)) : dims.filter((_, axis) => !along.has(axis));
}

function argument(better: (candidate: number | bigint, best: number | bigint) => boolean): Reference {
  return (context) => {
    const x = required(context, 0);
    const axis = normalizeAxis(intOf(context.node, 'axis', 0), x.dims.length);
    const last = intOf(context.node, 'select_last_index', 0) === 1;
    const { starts, offsets } = linesAlong(x.dims, [axis]);
    if (offsets.length === 0 && starts.length > 0) throw new LatheError('shape', `axis ${axis} is empty`);
    const values = (isLongInteger(x.dtype) ? codesOf(x) : float64Of(x)) as ArrayLike<number | bigint>;
    const out = new BigInt64Array(starts.length);
    for (let line = 0; line < out.length; line++) {
      const start = starts[line]!;
      let best = 0;
      for (let k = 1; k < offsets.length; k++) {
        const candidate = values[start + offsets[k]!]!;
        const leading = values[start + offsets[best]!]!;
        if (better(candidate, leading) || (last && candidate === leading)) best = k;
      }
      out[line] = BigInt(best);
    }
    return [tensor('int64', reducedDims(x.dims, [axis], intOf(context.node, 'keepdims', 1) === 1), out)];
  };
}

function cumulativeSum(context: ReferenceContext): readonly Tensor[] {
  const x = required(context, 0);
  const axis = normalizeAxis(scalarOf(required(context, 1), 'axis'), x.dims.length);
  const exclusive = intOf(context.node, 'exclusive', 0) === 1;
  const lines = linesAlong(x.dims, [axis]);
  const ordered =
    intOf(context.node, 'reverse', 0) === 1 ? { ...lines, offsets: lines.offsets.slice().reverse() } : lines;
  const dtype = x.dtype as NumericType;
  if (isInteger(dtype)) return [fromIntegers(dtype, x.dims, accumulate(integersOf(x), ordered, exclusive, 0n, add))];
  const sums = accumulate(float64Of(x), ordered, exclusive, 0, (a, b) => a + b);
  return [fromFloat64(dtype, x.dims, Float64Array.from(sums))];
}

const add = (a: bigint, b: bigint): bigint => a + b;

function accumulate<T>(
  values: ArrayLike<T>,
  { starts, offsets }: Lines,
  exclusive: boolean,
  zero: T,
  plus: (a: T, b: T) => T,
): T[] {
  const out = new Array<T>(values.length);
  for (const start of starts) {
    let total = zero;
    for (const offset of offsets) {
      const next = plus(total, values[start + offset]!);
      out[start + offset] = exclusive ? total : next;
      total = next;
    }
  }
  return out;
}
