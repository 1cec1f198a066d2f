import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { numbersOf } from '../base/index.ts';
import { encodeAll, tokenColumns } from './encoding.ts';
import { gatherBatch, tensorDataset } from './tensor-dataset.ts';
import { loadTokenizer, type PadBatchOptions, padBatch } from './tokenizer/index.ts';

const read = (name: string) => readFileSync(new URL(`tokenizer/fixtures/${name}`, import.meta.url), 'utf8');
const tokenizer = loadTokenizer(read('tokenizer.json'));
const rowsOf = (values: ArrayLike<number | bigint>, width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, row) =>
    Array.from({ length: width }, (_, column) => Number(values[row * width + column])),
  );

interface Padding {
  texts: string[];
  options: { direction?: 'left'; pad_to_multiple_of?: number; length?: number };
  ids: number[][];
  typeIds: number[][];
  attentionMask: number[][];
}

test.each((JSON.parse(read('encodings.json')) as { padding: Padding[] }).padding)(
  'padding equals the reference: $options',
  ({ texts, options: { direction, pad_to_multiple_of, length }, ids, typeIds, attentionMask }) => {
    const options: PadBatchOptions = {
      padId: 0,
      ...(direction && { side: direction }),
      ...(length && { length }),
      ...(pad_to_multiple_of && { multipleOf: pad_to_multiple_of }),
    };
    const batch = padBatch(
      texts.map((text) => tokenizer.encode(text)),
      options,
    );
    expect(batch.dims).toEqual([ids.length, ids[0]!.length]);
    expect(rowsOf(batch.inputIds, batch.dims[1])).toEqual(ids);
    expect(rowsOf(batch.tokenTypeIds, batch.dims[1])).toEqual(typeIds);
    expect(rowsOf(batch.attentionMask, batch.dims[1])).toEqual(attentionMask);
  },
);

test('many texts become columns that hold what the tokenizer gave', () => {
  const texts = ['the quick dog', '', 'it is not spam 我 ☃', 'free '.repeat(40_000)];
  const progress: number[] = [];
  const encoded = encodeAll(tokenizer, texts, { maxLength: 6 }, (done) => progress.push(done));
  expect(progress).toEqual([4]);
  expect(encoded.truncated).toBe(texts.filter((text) => tokenizer.encode(text, { maxLength: 6 }).truncated).length);
  const batch = gatherBatch(tensorDataset(tokenColumns(encoded, { paddingId: 0 })), [0, 1, 2, 3]);
  const padded = padBatch(
    texts.map((text) => tokenizer.encode(text, { maxLength: 6 })),
    { padId: 0 },
  );
  expect(batch.input_ids!.data).toEqual(padded.inputIds);
  expect(batch.attention_mask!.data).toEqual(padded.attentionMask);
  expect(batch.token_type_ids!.data).toEqual(padded.tokenTypeIds);
  expect(Object.keys(tokenColumns(encoded, { paddingId: 0, tokenTypes: false }))).toEqual([
    'input_ids',
    'attention_mask',
  ]);
});

test('pairs bring their token types, whichever row they begin at', () => {
  const rows = ['alone', ['a question', 'an answer'], ['b', 'c']] as const;
  const encoded = encodeAll(tokenizer, rows);
  const { token_type_ids } = gatherBatch(tensorDataset(tokenColumns(encoded, { paddingId: 0 })), [0, 2]);
  const expected = padBatch([tokenizer.encode('alone'), tokenizer.encode('b', { pair: 'c' })], { padId: 0 });
  expect(numbersOf(token_type_ids!)).toEqual(Array.from(expected.tokenTypeIds, Number));
  expect(numbersOf(token_type_ids!)).toContain(1);
});

test('counts the unknown tokens, special ones aside', () => {
  expect(encodeAll(tokenizer, ['☃ ☃', 'the the']).unknownShare).toBe(0.5);
  expect(encodeAll(tokenizer, []).unknownShare).toBe(0);
});
