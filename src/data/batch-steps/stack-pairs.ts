import { type Tensor, tensor } from '../../base/index.ts';

/** What puts the two texts of each pair into one batch of twice as many rows: plain data. */
export interface StackPairs {
  readonly kind: 'stack-pairs';
  readonly paddingId: number;
  /**
   * `given`: the batch has the labels of its pairs. `places`: they are 0, 1, 2, …, for a model that finds the second text of
   * each first one among those of the batch; of pairs with the same second text only the first stays then.
   */
  readonly labels: 'given' | 'places';
}

/**
 * The rows of `input_ids` and `attention_mask`, then those of `second_ids` and `second_mask`, all as long as the longest:
 * [2 · pairs, sequence]. `token_type_ids`, where there are any, are 0.
 */
export function stackPairs(
  batch: Readonly<Record<string, Tensor>>,
  { paddingId, labels }: StackPairs,
): Record<string, Tensor> {
  const { input_ids: first, attention_mask: firstMask, second_ids: second, second_mask: secondMask, ...rest } = batch;
  const kept = labels === 'places' ? distinctRows(second!, secondMask!) : [...new Array(first!.dims[0]!).keys()];
  const width = Math.max(first!.dims[1]!, second!.dims[1]!);
  const dims = [2 * kept.length, width];
  const stacked = (above: Tensor, below: Tensor, padding: number): Tensor => {
    const data = new BigInt64Array(2 * kept.length * width).fill(BigInt(padding));
    for (const [half, { data: values, dims: own }] of [above, below].entries()) {
      const length = own[1]!;
      for (const [place, row] of kept.entries()) {
        const source = (values as BigInt64Array).subarray(row * length, (row + 1) * length);
        data.set(source, (half * kept.length + place) * width);
      }
    }
    return tensor('int64', dims, data);
  };
  return {
    ...rest,
    ...(labels === 'places' && {
      labels: tensor('int64', [kept.length], BigInt64Array.from(kept.keys(), BigInt)),
    }),
    input_ids: stacked(first!, second!, paddingId),
    attention_mask: stacked(firstMask!, secondMask!, 0),
    ...(rest.token_type_ids && { token_type_ids: tensor('int64', dims, new BigInt64Array(2 * kept.length * width)) }),
  };
}

/** Rows whose tokens no row before has. */
function distinctRows({ data, dims }: Tensor, { data: mask }: Tensor): number[] {
  const seen = new Set<string>();
  const distinct: number[] = [];
  const [rows, length] = dims as [number, number];
  for (let row = 0; row < rows; row++) {
    const ids: bigint[] = [];
    for (let at = row * length; at < (row + 1) * length; at++) {
      if ((mask as BigInt64Array)[at] === 1n) ids.push((data as BigInt64Array)[at]!);
    }
    const key = ids.join();
    if (seen.has(key)) continue;
    seen.add(key);
    distinct.push(row);
  }
  return distinct;
}
