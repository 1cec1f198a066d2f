import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type AlignedText, aligned, placeOf } from './aligned-text.ts';
import type { ComponentFile } from './files.ts';
import { normalizerOf } from './normalizers.ts';
import { preTokenizerOf } from './pre-tokenizers.ts';

interface Fixture {
  readonly normalizers: readonly {
    readonly normalizer: ComponentFile;
    readonly cases: readonly (readonly [text: string, normalized: string, places: readonly number[]])[];
  }[];
  readonly preTokenizers: readonly {
    readonly preTokenizer: ComponentFile;
    readonly cases: readonly (readonly [text: string, pieces: readonly (readonly [string, number, number])[]])[];
  }[];
}
const fixture = JSON.parse(readFileSync(new URL('fixtures/parts.json', import.meta.url), 'utf8')) as Fixture;

/** The places of each character, start and end. */
function placesOf(piece: AlignedText): number[] {
  const places: number[] = [];
  let unit = 0;
  for (const character of piece.text) {
    places.push(...placeOf(piece, unit, unit + character.length));
    unit += character.length;
  }
  return places;
}

describe.each(fixture.normalizers.map((row) => [nameOf(row.normalizer), row] as const))(
  'the normalizer %s equals the reference',
  (_, { normalizer, cases }) => {
    const normalize = normalizerOf(normalizer);
    test.each(cases)('on %j', (text, normalized, places) => {
      const piece = normalize(aligned(text));
      expect(piece.text).toBe(normalized);
      expect(placesOf(piece)).toEqual(places);
    });
  },
);

describe.each(fixture.preTokenizers.map((row) => [nameOf(row.preTokenizer), row] as const))(
  'the pre-tokenizer %s equals the reference',
  (_, { preTokenizer, cases }) => {
    const preTokenize = preTokenizerOf(preTokenizer);
    test.each(cases)('on %j', (text, pieces) => {
      const parts = text === '' ? [] : preTokenize(aligned(text));
      expect(parts.map((part) => [part.text, ...placeOf(part, 0, part.text.length)])).toEqual(pieces);
    });
  },
);

function nameOf(part: ComponentFile): string {
  return JSON.stringify(part).slice(0, 90);
}
