import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { entitiesOfTags, strictEntitiesOfTags, type TagScheme, tagSchemeOf } from '../src/data/index.ts';
import { entityReport, entityScores, type PrecisionRecallF1 } from '../src/metrics/index.ts';

interface Scores extends Readonly<Record<'micro' | 'macro' | 'weighted', PrecisionRecallF1>> {
  /** Precision, recall, F1 and support of each type, types sorted. */
  readonly perType: readonly (readonly number[])[];
}
interface Case {
  readonly scheme: TagScheme;
  readonly truth: readonly (readonly string[])[];
  readonly predictions: readonly (readonly string[])[];
  readonly entities?: readonly (readonly (readonly [string, number, number])[])[];
  readonly strictEntities: readonly (readonly (readonly [string, number, number])[])[];
  readonly default?: Scores;
  readonly strict: Scores;
}
const cases = JSON.parse(
  readFileSync(new URL('fixtures/entities/seqeval.json', import.meta.url), 'utf8'),
) as readonly Case[];

const READERS = { default: entitiesOfTags, strict: strictEntitiesOfTags } as const;

describe.each(cases.map((one, at) => [`${one.scheme} ${at % 3}`, one] as const))('tags in %s', (_, given) => {
  // seqeval reads no BILOU by default.
  const modes = given.default === undefined ? (['strict'] as const) : (['default', 'strict'] as const);
  describe.each(modes)('in the %s mode', (mode) => {
    const expected = given[mode]!;
    const read = (tags: readonly string[]) => READERS[mode](tags, given.scheme);
    const entities = mode === 'default' ? given.entities! : given.strictEntities;

    it('are the entities that seqeval finds', () => {
      expect(given.predictions.map((tags) => read(tags).map(({ label, start, end }) => [label, start, end]))).toEqual(
        entities,
      );
    });

    it('have the scores of seqeval', () => {
      const scores = entityScores(given.truth.map(read), given.predictions.map(read));
      for (const average of ['micro', 'macro', 'weighted'] as const) {
        for (const name of ['precision', 'recall', 'f1'] as const) {
          expect(scores[average][name], `${average} ${name}`).toBeCloseTo(expected[average][name], 12);
        }
      }
      const perType = [0, 1, 2, 3].map((row) =>
        scores.perClass.map((one) => [one.precision, one.recall, one.f1, one.support][row]!),
      );
      for (const [row, values] of perType.entries()) {
        expect(values.length).toBe(expected.perType[row]!.length);
        for (const [at, value] of values.entries()) expect(value).toBeCloseTo(expected.perType[row]![at]!, 12);
      }
    });
  });
});

it('knows the scheme of tags', () => {
  expect(tagSchemeOf(['O', 'B-x', 'I-x'])).toBe('IOB2');
  expect(tagSchemeOf(['O', 'S-x', 'B-y'])).toBe('IOBES');
  expect(tagSchemeOf(['O', 'U-x'])).toBe('BILOU');
  expect(tagSchemeOf(['O', 'B-x', 'name'])).toBe('plain');
  expect(entitiesOfTags(['name', 'name', 'O', 'Bay', 'name'], 'plain')).toEqual([
    { label: 'name', start: 0, end: 2 },
    { label: 'Bay', start: 3, end: 4 },
    { label: 'name', start: 4, end: 5 },
  ]);
});

it('reports entities by type, with an interval over examples', () => {
  const one = [{ label: 'PER', start: 0, end: 2 }];
  const report = entityReport([one, one, []], [one, [{ label: 'PER', start: 0, end: 1 }], []], {
    task: 'token-classification',
  });
  expect(report.metrics).toMatchObject({ precision: 0.5, recall: 0.5, f1: 0.5 });
  expect(report.perClass).toEqual({ PER: { precision: 0.5, recall: 0.5, f1: 0.5, support: 2 } });
  expect(report.intervals!.f1!.low).toBeLessThan(0.5);
  expect(report.signatures.f1).toBe('entity_f1|average:micro|mode:default|zero_division:0');
});
