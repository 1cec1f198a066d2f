import { describe, expect, it } from 'vitest';
import { numbersOf, random, tensorFrom } from '../base/index.ts';
import { check, evaluate, float, GraphBuilder, inferTypes, int, type Model } from '../graph/index.ts';
import { withStatisticsOfBatches } from './batch-statistics.ts';
import { gradient } from './index.ts';

const { normal } = random(5);
const X = tensorFrom('float64', Array.from({ length: 24 }, normal), [2, 3, 4]);

function model(outputs: readonly string[], attributes = {}): Model {
  const build = new GraphBuilder({ opset: 17 });
  const x = build.input('x', 'float64', ['batch', 3, 4]);
  const parameters = ['scale', 'bias', 'mean', 'variance'].map((name, index) =>
    build.initializer(name, tensorFrom('float64', [1 + index, 2, 3])),
  );
  build.node('BatchNormalization', [x, ...parameters], {
    attributes: { training_mode: int(1), ...attributes },
    outputs,
  });
  const loss = build.reduceSum(build.mul('y', build.mul('y', 'y')), [0, 1, 2], false);
  build.output(loss, { dtype: 'float64', shape: [] }, 'loss');
  for (const name of outputs.slice(1)) build.output(name, { dtype: 'float64', shape: [3] });
  return build.build();
}

describe('the statistics of the batch', () => {
  it.each([
    { outputs: ['y', 'mean_next', 'variance_next'], attributes: { momentum: float(0.75) } },
    { outputs: ['y', 'mean_next', 'variance_next'], attributes: {} },
    { outputs: ['y'], attributes: {} },
  ])('are outputs, and the running ones move as before: $outputs', ({ outputs, attributes }) => {
    const given = model(outputs, attributes);
    const rewritten = withStatisticsOfBatches(given, inferTypes(given));
    check(rewritten);
    const [expected, actual] = [given, rewritten].map((each) => evaluate(each, { x: X }));
    for (const [name, value] of Object.entries(expected!)) {
      numbersOf(value).forEach((number, at) => {
        expect(numbersOf(actual![name]!)[at], name).toBeCloseTo(number, 12);
      });
    }
    const channel = numbersOf(X).filter((_, at) => Math.floor(at / 4) % 3 === 1);
    const ofBatch = evaluate(rewritten, { x: X }, ['mean_of_batch']).mean_of_batch!;
    expect(numbersOf(ofBatch)[1]).toBeCloseTo(channel.reduce((sum, value) => sum + value) / channel.length, 12);
  });

  it('are not computed again for the backward pass', () => {
    const backward = gradient(model(['y']), { of: 'loss', withRespectTo: ['scale', 'x'] });
    expect(backward.graph.nodes.map(({ opType }) => opType)).not.toContain('ReduceMean');
  });

  it('are left alone where statistics are given', () => {
    const frozen = model(['y'], { training_mode: int(0) });
    expect(withStatisticsOfBatches(frozen, inferTypes(frozen))).toBe(frozen);
  });
});
