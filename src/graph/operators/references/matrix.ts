import type { DataType } from '../../../base/dtype.ts';
import { float64Of, fromFloat64, fromIntegers, integersOf, isInteger } from '../../../base/elements.ts';
import { LatheError } from '../../../base/errors.ts';
import { broadcastDims, formatDims, sizeOf } from '../../../base/shape.ts';
import { type Tensor, tensor } from '../../../base/tensor.ts';
import { floatOf, intOf } from '../../attributes.ts';
import type { Reference, ReferenceContext } from '../reference.ts';
import { required, sameTypes } from './inputs.ts';
import { broadcastPositions, strided } from './positions.ts';
import { reshaped, take } from './take.ts';

type NumericType = Exclude<DataType, 'string'>;

export const MATRIX = {
  Gemm: gemm,
  MatMul: (context) => [matMul(required(context, 0), required(context, 1))],
} satisfies Record<string, Reference>;

/** NumPy's matmul: the last two axes multiply, those before broadcast; one-dimensional operands gain and lose an axis. */
export function matMul(a: Tensor, b: Tensor): Tensor {
  sameTypes([a, b]);
  const misfit = (): LatheError =>
    new LatheError('shape', `matrices do not multiply: ${formatDims(a.dims)} and ${formatDims(b.dims)}`);
  if (a.dims.length === 0 || b.dims.length === 0) throw misfit();
  const aDims = a.dims.length === 1 ? [1, a.dims[0]!] : a.dims; // [..., rows, inner]
  const bDims = b.dims.length === 1 ? [b.dims[0]!, 1] : b.dims; // [..., inner, columns]
  const rows = aDims.at(-2)!;
  const inner = aDims.at(-1)!;
  const columns = bDims.at(-1)!;
  if (bDims.at(-2) !== inner) throw misfit();
  const batch = broadcastDims(aDims.slice(0, -2), bDims.slice(0, -2));
  const batches = sizeOf(batch);
  const aAt = broadcastPositions(aDims.slice(0, -2), batch);
  const bAt = broadcastPositions(bDims.slice(0, -2), batch);
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [rows]), ...(b.dims.length === 1 ? [] : [columns])];
  const dtype = a.dtype as NumericType;
  if (isInteger(dtype)) {
    const left = integersOf(a);
    const right = integersOf(b);
    const out = new Array<bigint>(batches * rows * columns).fill(0n);
    for (let index = 0; index < batches; index++)
      multiplyIntegers(
        [left, (aAt?.[index] ?? index) * rows * inner],
        [right, (bAt?.[index] ?? index) * inner * columns],
        [out, index * rows * columns],
        [rows, inner, columns],
      );
    return fromIntegers(dtype, dims, out);
  }
  const left = float64Of(a);
  const right = float64Of(b);
  const out = new Float64Array(batches * rows * columns);
  for (let index = 0; index < batches; index++) {
    const leftFrom = (aAt?.[index] ?? index) * rows * inner;
    const rightFrom = (bAt?.[index] ?? index) * inner * columns;
    multiply(
      left.subarray(leftFrom, leftFrom + rows * inner),
      right.subarray(rightFrom, rightFrom + inner * columns),
      out.subarray(index * rows * columns, (index + 1) * rows * columns),
      rows,
      inner,
      columns,
    );
  }
  return fromFloat64(dtype, dims, out);
}

/** out += a · b, row by row, so that the innermost loop runs along memory; four rows of b at once, which halves the time. */
function multiply(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): void {
  const whole = inner - (inner % 4);
  for (let row = 0; row < rows; row++) {
    const to = row * columns;
    const from = row * inner;
    for (let k = 0; k < whole; k += 4) {
      const [a0, a1, a2, a3] = [a[from + k]!, a[from + k + 1]!, a[from + k + 2]!, a[from + k + 3]!];
      const b0 = k * columns;
      const b1 = b0 + columns;
      const b2 = b1 + columns;
      const b3 = b2 + columns;
      for (let column = 0; column < columns; column++) {
        out[to + column]! += a0 * b[b0 + column]! + a1 * b[b1 + column]! + a2 * b[b2 + column]! + a3 * b[b3 + column]!;
      }
    }
    for (let k = whole; k < inner; k++) {
      const factor = a[from + k]!;
      for (let column = 0; column < columns; column++) out[to + column]! += factor * b[k * columns + column]!;
    }
  }
}

function multiplyIntegers(
  [a, aFrom]: readonly [ArrayLike<bigint>, number],
  [b, bFrom]: readonly [ArrayLike<bigint>, number],
  [out, to]: readonly [bigint[], number],
  [rows, inner, columns]: readonly [number, number, number],
): void {
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < inner; k++)
      for (let column = 0; column < columns; column++)
        out[to + row * columns + column]! += a[aFrom + row * inner + k]! * b[bFrom + k * columns + column]!;
}

/** alpha · A' · B' + beta · C, all in float64 before the one rounding. */
function gemm(context: ReferenceContext): readonly Tensor[] {
  const { node } = context;
  const a = oriented(required(context, 0), intOf(node, 'transA', 0) === 1);
  const b = oriented(required(context, 1), intOf(node, 'transB', 0) === 1);
  const c = context.inputs[2];
  sameTypes(c === undefined ? [a, b] : [a, b, c]);
  const alpha = floatOf(node, 'alpha', 1);
  const beta = floatOf(node, 'beta', 1);
  const dtype = a.dtype as NumericType;
  if (isInteger(dtype)) {
    if (!Number.isInteger(alpha) || !Number.isInteger(beta))
      throw new LatheError('unsupported', `${dtype} with alpha ${alpha} and beta ${beta}: expected whole numbers`);
    const product = matMul(a, b);
    const values = integersOf(product);
    const addend = c && integersOf(c);
    const at = c && broadcastPositions(broadcastable(c, product.dims), product.dims);
    const out = Array.from(
      values,
      (value, index) =>
        BigInt(alpha) * value + (addend === undefined ? 0n : BigInt(beta) * addend[at?.[index] ?? index]!),
    );
    return [fromIntegers(dtype, product.dims, out)];
  }
  const product = matMul(asFloat64(a), asFloat64(b));
  const out = product.data as Float64Array;
  const addend = c && float64Of(c);
  const at = c && broadcastPositions(broadcastable(c, product.dims), product.dims);
  for (let index = 0; index < out.length; index++)
    out[index] = alpha * out[index]! + (addend === undefined ? 0 : beta * addend[at?.[index] ?? index]!);
  return [fromFloat64(dtype, product.dims, out)];
}

function asFloat64(value: Tensor): Tensor {
  return tensor('float64', value.dims, float64Of(value));
}

function oriented(value: Tensor, transposed: boolean): Tensor {
  const [rows, columns] = value.dims;
  if (value.dims.length !== 2) throw new LatheError('shape', `expected a matrix, got ${formatDims(value.dims)}`);
  if (!transposed) return reshaped(value, value.dims);
  return take(value, strided([columns!, rows!], [1, columns!]), [columns!, rows!]);
}

/** C broadcasts to the product, never the other way. */
function broadcastable(c: Tensor, dims: readonly number[]): readonly number[] {
  const together = broadcastDims(c.dims, dims);
  if (together.length !== dims.length || together.some((dim, axis) => dim !== dims[axis]))
    throw new LatheError('shape', `C ${formatDims(c.dims)} does not broadcast to ${formatDims(dims)}`);
  return c.dims;
}
