import { describe, expect, it } from 'vitest';
import { tensorFrom } from '../../base/index.ts';
import { GraphBuilder, type Model, type Value } from '../../graph/index.ts';
import { isBatchInvariant, requireBudget, type VariantScore } from './measure-variant.ts';

const score = (source: number, variant: number): VariantScore => ({
  split: 'test',
  examples: 10,
  metric: 'f1',
  name: 'F1',
  source,
  variant,
  kept: variant / source,
  report: { metrics: { f1: variant }, examples: 10 } as unknown as VariantScore['report'],
});

describe('a budget', () => {
  it('is met by what keeps it exactly', () => {
    expect(() => requireBudget(score(0.8, 0.4), 0.5)).not.toThrow();
  });

  it('that is not met says how close it came', () => {
    expect(() => requireBudget(score(0.9, 0.81), 0.95)).toThrow(
      'the budget is not met: F1 0.8100 of 0.9000 is 90.0 %, expected 95.0 %; nothing is written',
    );
  });
});

describe('the independence of a batch', () => {
  const modelOf = (write: (build: GraphBuilder, x: Value) => Value): Model => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['n', 3]);
    build.output(write(build, x), { dtype: 'float32' }, 'y');
    return build.build();
  };
  const feeds = { x: tensorFrom('float32', [1, 2, 3, 40, 50, 60], [2, 3]) };

  it('is seen in what each row alone decides', async () => {
    expect(
      await isBatchInvariant(
        modelOf((build, x) => build.exp(build.neg(x))),
        feeds,
      ),
    ).toBe(true);
  });

  it('is missed where the largest of all rows scales each', async () => {
    const scaled = modelOf((build, x) => build.div(x, build.reduceMax(x, [0, 1])));
    expect(await isBatchInvariant(scaled, feeds)).toBe(false);
  });
});
