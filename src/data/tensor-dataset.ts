import {
  arrayTypeOf,
  type DataType,
  formatDims,
  LatheError,
  sizeOf,
  type Tensor,
  type TypedArray,
  tensor,
} from '../base/index.ts';
import type { PixelFile } from './images/pixel-file.ts';
import { normalizePixels } from './images/preprocessing.ts';

/** An element type that a column can become. */
export type ColumnType = Exclude<DataType, 'string'>;

/**
 * One input of a model, for all rows.
 *
 * - `ragged`: row i is values[offsets[i], offsets[i + 1]); a batch is padded with `padValue` to its longest row:
 *   `[batch, longest]`.
 * - `fixed`: every row has the shape `dims`: `[batch, ...dims]`.
 * - `pixels`: images of 8 bits, which become floats when a batch is made: `[batch, channels, height, width]`.
 * - `mask`: 1 where the ragged column `of` has values, 0 where it is padded.
 * - `zeros`: zeros in the shape of the ragged column `of`.
 *
 * `dtype` is what the model takes. `values` may be smaller: integers of 32 bits or fewer become int64, for instance.
 */
export type Column =
  | {
      readonly kind: 'ragged';
      readonly values: TypedArray;
      readonly offsets: Uint32Array;
      readonly dtype: ColumnType;
      readonly padValue: number;
    }
  | {
      readonly kind: 'fixed';
      readonly values: TypedArray;
      readonly dims: readonly number[];
      readonly dtype: ColumnType;
    }
  | {
      readonly kind: 'pixels';
      /** Rows of [height, width, channels], in memory or in a file. */
      readonly values: Uint8Array | PixelFile;
      /** [channels, height, width], as the model takes them. */
      readonly dims: readonly number[];
      /** What the model sees of each level of each channel: [channels, 256]. */
      readonly levels: Float32Array;
      readonly dtype: 'float32';
    }
  | { readonly kind: 'mask'; readonly of: string; readonly dtype: ColumnType }
  | { readonly kind: 'zeros'; readonly of: string; readonly dtype: ColumnType };

/** Rows ready for a model: a column an input, in typed arrays, so that a million rows fit. */
export interface TensorDataset {
  /** Number of rows. */
  readonly size: number;
  readonly columns: Readonly<Record<string, Column>>;
}

/** Makes a data set of columns (not copied). Throws `invalid-data` when they do not have the same number of rows. */
export function tensorDataset(columns: Readonly<Record<string, Column>>): TensorDataset {
  let size: number | undefined;
  for (const [name, column] of Object.entries(columns)) {
    const rows = rowsOf(name, column, columns);
    if (rows !== undefined && size !== undefined && rows !== size) {
      throw new LatheError('invalid-data', `column "${name}": expected ${size} rows like the others, got ${rows}`);
    }
    size ??= rows;
  }
  return { size: size ?? 0, columns };
}

/** Takes rows as the inputs of a model, in the order of `indices`; ragged columns have at least one place. */
export function gatherBatch(dataset: TensorDataset, indices: ArrayLike<number>): Record<string, Tensor> {
  const { size, columns } = dataset;
  for (let row = 0; row < indices.length; row++) {
    const index = indices[row]!;
    if (!(index >= 0 && index < size)) {
      throw new LatheError('usage', `row ${index} of a data set of ${size} rows`);
    }
  }
  const batch: Record<string, Tensor> = {};
  for (const [name, column] of Object.entries(columns)) {
    if (column.kind === 'fixed') batch[name] = gatherFixed(column, indices);
    else if (column.kind === 'pixels') batch[name] = gatherPixels(column, indices);
    else if (column.kind === 'ragged') batch[name] = gatherRagged(column, indices);
    else batch[name] = derive(column, raggedColumn(name, column.of, columns), indices);
  }
  return batch;
}

/** Gives back the files of columns that are in files; the data set is of no use afterwards. */
export function closeDataset({ columns }: TensorDataset): void {
  for (const column of Object.values(columns)) {
    if (column.kind === 'pixels' && !(column.values instanceof Uint8Array)) column.values.close();
  }
}

/** Values a row in its longest ragged column, for {@link bucketedBatches}; 1 for every row without ragged columns. */
export function lengthsOf(dataset: TensorDataset): Uint32Array {
  const ragged = Object.values(dataset.columns).filter((column) => column.kind === 'ragged');
  const lengths = new Uint32Array(dataset.size);
  if (ragged.length === 0) return lengths.fill(1);
  for (const { offsets } of ragged) {
    for (let row = 0; row < dataset.size; row++) {
      lengths[row] = Math.max(lengths[row]!, offsets[row + 1]! - offsets[row]!);
    }
  }
  return lengths;
}

type Ragged = Extract<Column, { kind: 'ragged' }>;
type Fixed = Extract<Column, { kind: 'fixed' }>;
type Pixels = Extract<Column, { kind: 'pixels' }>;

function rowsOf(name: string, column: Column, columns: Readonly<Record<string, Column>>): number | undefined {
  if (column.kind === 'mask' || column.kind === 'zeros') {
    raggedColumn(name, column.of, columns);
    return undefined;
  }
  if (column.kind === 'pixels') checkLevels(name, column);
  else checkTypes(name, column);
  const { values } = column;
  if (column.kind !== 'ragged') {
    const width = sizeOf(column.dims);
    const rows = width === 0 ? 0 : values.length / width;
    if (!Number.isInteger(rows) || (width === 0 && values.length > 0)) {
      throw new LatheError(
        'invalid-data',
        `column "${name}": ${values.length} values are not a number of rows of ${formatDims(column.dims)}`,
      );
    }
    return rows;
  }
  const { offsets } = column;
  for (let row = 1; row < offsets.length; row++) {
    if (offsets[row]! < offsets[row - 1]!) {
      throw new LatheError('invalid-data', `column "${name}": offset ${row} is smaller than the one before it`);
    }
  }
  if (offsets.length === 0 || offsets[0] !== 0 || offsets.at(-1) !== values.length) {
    throw new LatheError('invalid-data', `column "${name}": offsets must run from 0 to ${values.length}`);
  }
  return offsets.length - 1;
}

function checkLevels(name: string, { dims, levels }: Pixels): void {
  if (dims.length === 3 && levels.length === dims[0]! * 256) return;
  throw new LatheError(
    'invalid-data',
    `column "${name}": expected [channels, height, width] with 256 levels a channel, got ${formatDims(dims)} with ${levels.length}`,
  );
}

function checkTypes(name: string, { values, dtype }: Ragged | Fixed): void {
  const target = arrayTypeOf(dtype);
  if (values instanceof target) return;
  const isInteger = values instanceof Int32Array || values instanceof Int16Array || values instanceof Int8Array;
  const isUnsigned = values instanceof Uint32Array || values instanceof Uint16Array || values instanceof Uint8Array;
  const fits = dtype === 'int64' ? isInteger || isUnsigned : dtype === 'uint64' && isUnsigned;
  if (fits) return;
  if (
    (dtype === 'float32' || dtype === 'float64') &&
    !(values instanceof BigInt64Array || values instanceof BigUint64Array)
  ) {
    return;
  }
  throw new LatheError('invalid-data', `column "${name}": ${dtype} cannot be made from a ${values.constructor.name}`);
}

function raggedColumn(name: string, of: string, columns: Readonly<Record<string, Column>>): Ragged {
  const column = Object.hasOwn(columns, of) ? columns[of] : undefined;
  if (column?.kind !== 'ragged') {
    throw new LatheError(
      'invalid-data',
      `column "${name}": expected a ragged column "${of}", got ${column?.kind ?? 'none'}`,
    );
  }
  return column;
}

function longestRow({ offsets }: Ragged, indices: ArrayLike<number>): number {
  // A place for every row: ONNX Runtime's kernels are not all at ease with empty tensors.
  let longest = 1;
  for (let row = 0; row < indices.length; row++) {
    longest = Math.max(longest, offsets[indices[row]! + 1]! - offsets[indices[row]!]!);
  }
  return longest;
}

function gatherFixed({ values, dims, dtype }: Fixed, indices: ArrayLike<number>): Tensor {
  const width = sizeOf(dims);
  const target = writer(dtype, indices.length * width);
  for (let row = 0; row < indices.length; row++) {
    target.copy(row * width, values, indices[row]! * width, (indices[row]! + 1) * width);
  }
  return tensor(dtype, [indices.length, ...dims], target.data);
}

function gatherPixels({ values, dims, levels }: Pixels, indices: ArrayLike<number>): Tensor {
  const size = sizeOf(dims);
  const data = new Float32Array(indices.length * size);
  for (let row = 0; row < indices.length; row++) {
    normalizePixels(pixelsOf({ values, dims }, indices[row]!), levels, data.subarray(row * size, (row + 1) * size));
  }
  return tensor('float32', [indices.length, ...dims], data);
}

/** The pixels of a row: [height, width, channels]. */
export function pixelsOf({ values, dims }: Pick<Pixels, 'values' | 'dims'>, row: number): Uint8Array {
  const size = sizeOf(dims);
  const [start, end] = [row * size, (row + 1) * size];
  return values instanceof Uint8Array ? values.subarray(start, end) : values.read(start, end);
}

function gatherRagged(column: Ragged, indices: ArrayLike<number>): Tensor {
  const { values, offsets, dtype, padValue } = column;
  const longest = longestRow(column, indices);
  const target = writer(dtype, indices.length * longest);
  for (let row = 0; row < indices.length; row++) {
    const start = offsets[indices[row]!]!;
    const end = offsets[indices[row]! + 1]!;
    target.copy(row * longest, values, start, end);
    if (padValue !== 0) target.fill(padValue, row * longest + end - start, (row + 1) * longest);
  }
  return tensor(dtype, [indices.length, longest], target.data);
}

function derive(
  { kind, dtype }: Extract<Column, { kind: 'mask' | 'zeros' }>,
  source: Ragged,
  indices: ArrayLike<number>,
): Tensor {
  const longest = longestRow(source, indices);
  const target = writer(dtype, indices.length * longest);
  if (kind === 'mask') {
    for (let row = 0; row < indices.length; row++) {
      const length = source.offsets[indices[row]! + 1]! - source.offsets[indices[row]!]!;
      target.fill(1, row * longest, row * longest + length);
    }
  }
  return tensor(dtype, [indices.length, longest], target.data);
}

interface Writer {
  readonly data: TypedArray;
  copy(at: number, values: TypedArray, start: number, end: number): void;
  fill(value: number, start: number, end: number): void;
}

/** A zeroed array of `dtype` to copy values of a column into. */
function writer(dtype: ColumnType, length: number): Writer {
  const data = new (arrayTypeOf(dtype))(length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return writer64(data);
  return {
    data,
    copy: (at, values, start, end) =>
      data.set(values.subarray(start, end) as Exclude<TypedArray, BigInt64Array | BigUint64Array>, at),
    fill: (value, start, end) => data.fill(value, start, end),
  };
}

/** Writes the two halves of 64-bit integers: several times faster than a bigint an element. Little-endian, as ONNX is. */
function writer64(data: BigInt64Array | BigUint64Array): Writer {
  const halves = new Int32Array(data.buffer);
  return {
    data,
    copy(at, values, start, end) {
      if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
        new BigInt64Array(data.buffer).set(values.subarray(start, end) as BigInt64Array, at);
        return;
      }
      const isUnsigned = values instanceof Uint32Array;
      for (let index = start; index < end; index++) {
        const value = values[index]!;
        const place = (at + index - start) * 2;
        halves[place] = value;
        halves[place + 1] = isUnsigned || value >= 0 ? 0 : -1;
      }
    },
    fill(value, start, end) {
      if (data instanceof BigInt64Array) data.fill(BigInt(value), start, end);
      else data.fill(BigInt(value), start, end);
    },
  };
}
