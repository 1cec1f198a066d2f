import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { unigrams } from './unigram.ts';

interface Fixture {
  readonly vocab: readonly (readonly [token: string, score: number])[];
  /** Words with the triples (id, start, end) of their tokens. */
  readonly cases: readonly (readonly [word: string, pieces: readonly number[]])[];
}
const fixtures = JSON.parse(
  readFileSync(new URL('fixtures/unigram.json', import.meta.url), 'utf8'),
) as readonly Fixture[];

describe.each(fixtures)('a vocabulary without some characters: $vocab.length tokens', ({ vocab, cases }) => {
  const pieces = unigrams({ type: 'Unigram', vocab, unk_id: 0 }, new Map(vocab.map(([token], id) => [token, id])));
  test.each(cases)('cuts %s as the reference does', (word, expected) => {
    expect([...pieces(word)]).toEqual(expected);
  });
});
