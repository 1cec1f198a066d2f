import { byteSize } from '../base/dtype.ts';
import { formatDims, sizeOf } from '../base/shape.ts';
import { problemWithLocation } from './external-data.ts';
import type { SparseTensor, StoredTensor } from './ir.ts';
import { tensorOf } from './stored.ts';

/** What is wrong with a stored tensor: each a sentence without its subject. Tells sizes from lengths alone. */
export function problemsOfTensor(tensor: StoredTensor): readonly string[] {
  const { dtype, dims, content } = tensor;
  const shape = `${dtype}${formatDims(dims)}`;
  const problems: string[] = [];
  if (dtype === 'undefined') {
    const code = tensor.unknown?.some(({ number }) => number === 2);
    problems.push(code ? 'has a data type that ONNX does not define' : 'has no data type');
  }
  if (dims.some((dim) => dim < 0)) problems.push(`has a negative dimension: ${shape}`);
  const size = sizeOf(dims);
  if (!Number.isSafeInteger(size)) return [...problems, `has a shape with more than 2^53 elements: ${shape}`];
  if (content.kind === 'external') {
    const problem = problemWithLocation(content.location);
    if (problem !== undefined) problems.push(`is external data that ${problem}`);
    if (dtype === 'string') problems.push('is a tensor of strings, which cannot be external data');
  }
  if (content.kind === 'strings') {
    if (dtype !== 'string') problems.push(`holds strings, but its type is ${dtype}`);
    if (content.values.length !== size) problems.push(`is ${shape}, but holds ${content.values.length} strings`);
  } else if (dtype === 'string') {
    if (content.kind === 'bytes') problems.push('is a tensor of strings, but holds raw bytes');
  } else if (dtype !== 'undefined') {
    const expected = byteSize(dtype, size)!;
    const length = content.kind === 'bytes' ? content.bytes.byteLength : content.length;
    if (length !== undefined && length !== expected) {
      problems.push(`is ${shape}, which takes ${expected} bytes, but holds ${length}`);
    }
  }
  for (const { number } of tensor.unknown ?? []) {
    const field = CONTENT_FIELDS[number];
    if (field !== undefined) problems.push(`holds "${field}" beside its content or instead of it`);
  }
  return problems;
}

/** Fields that the reader keeps aside when they are not where the type says the content is. */
const CONTENT_FIELDS: Readonly<Record<number, string>> = {
  4: 'float_data',
  5: 'int32_data',
  6: 'string_data',
  7: 'int64_data',
  9: 'raw_data',
  10: 'double_data',
  11: 'uint64_data',
};

/** What is wrong with a sparse tensor: its parts, their shapes, and the order and range of the indices where loaded. */
export function problemsOfSparseTensor(sparse: SparseTensor): readonly string[] {
  const { values, indices, dims } = sparse;
  const problems = [
    ...problemsOfTensor(values).map((problem) => `has values that are wrong: the tensor ${problem}`),
    ...problemsOfTensor(indices).map((problem) => `has indices that are wrong: the tensor ${problem}`),
  ];
  if (dims.length === 0 || dims.some((dim) => dim <= 0)) {
    problems.push(`has the shape ${formatDims(dims)}, expected at least one dimension and all positive`);
  }
  const size = sizeOf(dims);
  if (!Number.isSafeInteger(size)) problems.push(`has a shape with more than 2^53 elements: ${formatDims(dims)}`);
  if (values.dims.length !== 1) {
    problems.push(`has values of shape ${formatDims(values.dims)}, expected one dimension`);
    return problems;
  }
  const count = values.dims[0]!;
  if (indices.dtype !== 'int64') {
    problems.push(`has indices of type ${indices.dtype}, expected int64`);
    return problems;
  }
  const linear = indices.dims.length === 1 && indices.dims[0] === count;
  const rows = indices.dims.length === 2 && indices.dims[0] === count && indices.dims[1] === dims.length;
  if (!linear && !rows) {
    problems.push(
      `has indices of shape ${formatDims(indices.dims)}, expected [${count}] or [${count}, ${dims.length}] for ${count} values`,
    );
    return problems;
  }
  if (problems.length > 0 || indices.content.kind !== 'bytes') return problems;
  const problem = problemWithIndices(tensorOf(indices).data as BigInt64Array, linear ? [size] : dims);
  if (problem !== undefined) problems.push(problem);
  return problems;
}

/** `shape` is that of the tensor, or its size alone where the indices are linear. */
function problemWithIndices(indices: BigInt64Array, shape: readonly number[]): string | undefined {
  let before = -1;
  for (let at = 0; at < indices.length; at += shape.length) {
    let position = 0;
    for (const [axis, dim] of shape.entries()) {
      const index = indices[at + axis]!;
      if (index < 0n || index >= BigInt(dim)) return `has the index ${index} in a dimension of ${dim}`;
      position = position * dim + Number(index);
    }
    if (position <= before) return 'has indices that do not ascend';
    before = position;
  }
  return undefined;
}
