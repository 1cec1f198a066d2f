import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { gatherBatch, tensorDataset } from './tensor-dataset.ts';
import { featureColumns, fitVectorizer, loadVectorizer, tfidf, type VectorizerOptions } from './vectorizer.ts';

interface Run {
  options: {
    ngram_range?: [number, number];
    min_df?: number;
    max_features?: number;
    sublinear_tf?: boolean;
    lowercase?: boolean;
  };
  terms: string[];
  idf: number[];
  rows: { ids: number[]; weights: number[] }[];
}
const { texts, unseen, runs } = JSON.parse(
  readFileSync(new URL('fixtures/vectorizer.json', import.meta.url), 'utf8'),
) as { texts: string[]; unseen: string[]; runs: Run[] };

const optionsOf = ({
  ngram_range,
  min_df,
  max_features,
  sublinear_tf,
  lowercase,
}: Run['options']): VectorizerOptions => ({
  ...(ngram_range && { ngramRange: ngram_range }),
  ...(min_df !== undefined && { minDf: min_df }),
  ...(max_features !== undefined && { maxFeatures: max_features }),
  ...(sublinear_tf !== undefined && { sublinearTf: sublinear_tf }),
  ...(lowercase !== undefined && { lowercase }),
});
const expectClose = (got: ArrayLike<number>, expected: readonly number[], tolerance: number, where: string): void => {
  expect(got.length, where).toBe(expected.length);
  expected.forEach((value, index) => {
    expect(Math.abs(got[index]! - value) / Math.abs(value), `${where}, place ${index}`).toBeLessThan(tolerance);
  });
};

describe.each(runs)('equals TfidfVectorizer($options)', ({ options, terms, idf, rows }) => {
  const vectorizer = fitVectorizer(texts, optionsOf(options));

  test('features and idf', () => {
    expect(vectorizer.file.terms).toEqual(terms);
    expectClose(vectorizer.file.idf, idf, 1e-12, 'idf');
  });

  test('rows of the texts and of texts not seen', () => {
    expect(rows.some((row) => row.ids.length > 0)).toBe(true);
    [...texts, ...unseen].forEach((text, index) => {
      const { ids, weights } = vectorizer.vectorize(text);
      const where = JSON.stringify(text);
      expect(Array.from(ids), where).toEqual(rows[index]!.ids);
      // Weights are stored as float32.
      expectClose(weights, rows[index]!.weights, 2 ** -23, where);
    });
  });
});

test('weights agree with scikit-learn in float64 before they are stored', () => {
  const { idf, rows } = runs[1]!;
  const { ids, weights } = rows[12]!;
  const words = new Map<number, number>();
  for (const word of texts[12]!.split(' ')) {
    const id = runs[1]!.terms.indexOf(word);
    words.set(id, (words.get(id) ?? 0) + 1);
  }
  const got = tfidf(
    ids.map((id) => words.get(id)!),
    ids.map((id) => idf[id]!),
    true,
  );
  expectClose(got, weights, 1e-14, texts[12]!);
});

test('a vectorizer survives its file', () => {
  const vectorizer = fitVectorizer(texts, { ngramRange: [1, 2], sublinearTf: true });
  const back = loadVectorizer(JSON.stringify(vectorizer.file));
  for (const text of [...texts, ...unseen]) expect(back.vectorize(text)).toEqual(vectorizer.vectorize(text));
});

test('of equally frequent features the first by code point stay', () => {
  const { file } = fitVectorizer(['bb aa cc cc', '\u{10400}\u{10400} \uff21\uff21'], {
    maxFeatures: 4,
    lowercase: false,
  });
  expect(file.terms).toEqual(['aa', 'bb', 'cc', '\uff21\uff21']);
});

test('a batch of features is padded with weight 0', () => {
  const vectorizer = fitVectorizer(['red green', 'green blue']);
  const batch = gatherBatch(tensorDataset(featureColumns(vectorizer, ['red', 'blue green', ''])), [1, 0, 2]);
  expect(batch.feature_ids).toMatchObject({
    dtype: 'int64',
    dims: [3, 2],
    data: BigInt64Array.of(0n, 1n, 2n, 0n, 0n, 0n),
  });
  const [first, second, ...rest] = Array.from(batch.feature_weights!.data as Float32Array);
  expect(rest).toEqual([1, 0, 0, 0]);
  expect(first! ** 2 + second! ** 2).toBeCloseTo(1, 6);
});

test.each([
  [{ ngramRange: [0, 1] as const }, /ngramRange/],
  [{ ngramRange: [2, 1] as const }, /ngramRange/],
  [{ minDf: 1.5 }, /minDf/],
  [{ minDf: Number.NaN }, /minDf/],
  [{ maxFeatures: 0 }, /maxFeatures/],
  [{ minDf: 50 }, /no word or n-gram is in 50 of 14 texts/],
])('refuses %o', (options, message) => {
  expect(() => fitVectorizer(texts, options)).toThrow(message);
});

test.each([
  ['{', /not valid JSON/],
  ['null', /lathe-tfidf-1/],
  ['{"format":"lathe-tfidf-1","ngramRange":[1,1],"terms":["a"],"idf":[]}', /1 terms, but 0 idf/],
])('refuses the file %s', (text, message) => {
  expect(() => loadVectorizer(text)).toThrow(message);
});

describe('many rows and features', () => {
  test('counts each document once and keeps the rows in order, far beyond the first allocation', () => {
    const texts = Array.from({ length: 5000 }, (_, row) => `word${row} shared word${row}`);
    const vectorizer = fitVectorizer(texts);
    expect(vectorizer.file.terms).toHaveLength(5001);
    const idfOf = (term: string) => vectorizer.file.idf[vectorizer.file.terms.indexOf(term)];
    expect(idfOf('shared')).toBeCloseTo(1, 12);
    // ln((1 + n) / (1 + 1)) + 1, scikit-learn's smoothed idf of a term in one document.
    for (const row of [0, 1023, 1024, 2047, 4999]) expect(idfOf(`word${row}`)).toBeCloseTo(Math.log(5001 / 2) + 1, 12);
    const { feature_ids: ids } = featureColumns(vectorizer, texts);
    expect(ids?.kind === 'ragged' && Array.from(ids.offsets)).toEqual(
      Array.from({ length: 5001 }, (_, row) => row * 2),
    );
  });
});
