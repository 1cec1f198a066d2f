import { expect, it } from 'vitest';
import { type Tensor, tensorFrom } from '../../base/index.ts';
import { gatherBatch, tensorDataset } from '../tensor-dataset.ts';
import { runBatchSteps } from './batch-step.ts';

const ragged = (rows: readonly number[][]) => ({
  kind: 'ragged' as const,
  values: Int32Array.from(rows.flat()),
  offsets: Uint32Array.from([0, ...rows.map((_, row) => rows.slice(0, row + 1).flat().length)]),
  dtype: 'int64' as const,
  padValue: 9,
});
const dataset = tensorDataset({
  input_ids: ragged([[1, 2, 3], [4], [5, 6]]),
  attention_mask: { kind: 'mask', of: 'input_ids', dtype: 'int64' },
  token_type_ids: { kind: 'zeros', of: 'input_ids', dtype: 'int64' },
  second_ids: ragged([[7], [8, 1, 2, 3], [7]]),
  second_mask: { kind: 'mask', of: 'second_ids', dtype: 'int64' },
});
const context = { indices: [0, 1, 2], epoch: 0, seed: 0 };
const rows = ({ dims, data }: Tensor): number[][] => {
  const numbers = Array.from(data as BigInt64Array, Number);
  return Array.from({ length: dims[0]! }, (_, row) => numbers.slice(row * dims[1]!, (row + 1) * dims[1]!));
};

it('the second texts of a batch stand behind the first, all padded alike', () => {
  const batch = { ...gatherBatch(dataset, [0, 1, 2]), labels: tensorFrom('float32', [1, 2, 3], [3]) };
  const stacked = runBatchSteps(batch, [{ kind: 'stack-pairs', paddingId: 9, labels: 'given' }], context);
  expect(Object.keys(stacked).sort()).toEqual(['attention_mask', 'input_ids', 'labels', 'token_type_ids']);
  expect(rows(stacked.input_ids!)).toEqual([
    [1, 2, 3, 9],
    [4, 9, 9, 9],
    [5, 6, 9, 9],
    [7, 9, 9, 9],
    [8, 1, 2, 3],
    [7, 9, 9, 9],
  ]);
  expect(rows(stacked.attention_mask!).map((row) => row.join(''))).toEqual([
    '1110',
    '1000',
    '1100',
    '1000',
    '1111',
    '1000',
  ]);
  expect(rows(stacked.token_type_ids!)).toEqual(new Array(6).fill([0, 0, 0, 0]));
  expect(stacked.labels).toBe(batch.labels);
});

it('a second text that the batch has already is no wrong answer: its pair is left out', () => {
  const stacked = runBatchSteps(
    gatherBatch(dataset, [0, 1, 2]),
    [{ kind: 'stack-pairs', paddingId: 9, labels: 'places' }],
    context,
  );
  expect(rows(stacked.input_ids!).map((row) => row[0])).toEqual([1, 4, 7, 8]);
  expect(Array.from(stacked.labels!.data as BigInt64Array)).toEqual([0n, 1n]);
});
