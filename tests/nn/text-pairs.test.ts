import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/autodiff/index.ts';
import { numbersOf, tensorFrom } from '../../src/base/index.ts';
import { GraphBuilder, type Model, problems } from '../../src/graph/index.ts';
import { attachLoss, bert, compareTextPairs, coSent, crossEntropy, type Pooling } from '../../src/nn/index.ts';
import { openSession } from '../../src/runtime/index.ts';

/** By fixtures/text-pairs.py: PyTorch in float64. */
const { dims, states, mask, labels, cases } = JSON.parse(
  readFileSync(new URL('fixtures/text-pairs.json', import.meta.url), 'utf8'),
) as {
  dims: [number, number, number];
  states: number[];
  mask: number[];
  labels: number[];
  cases: {
    pooling: Pooling;
    similarities: number[];
    ranking: number;
    rankingGradient: number[];
    order: number;
    orderGradient: number[];
  }[];
};

/** An encoder whose states are given. */
function encoder(hidden: number | string = dims[2]): Model {
  const graph = new GraphBuilder();
  const shape = ['batch', 'sequence', hidden];
  graph.input('attention_mask', 'int64', ['batch', 'sequence']);
  const given = graph.input('states', 'float32', shape);
  graph.output(graph.identity(given), { dtype: 'float32', shape }, 'last_hidden_state');
  return graph.build();
}

const feeds = {
  states: tensorFrom('float32', states, dims),
  attention_mask: tensorFrom('int64', mask, dims.slice(0, 2)),
};

async function run(model: Model, more: object, outputs: string[]): Promise<number[][]> {
  expect(problems(model)).toEqual([]);
  const session = await openSession(model, { threads: 1 });
  const results = await session.run({ ...feeds, ...more }, { outputs });
  await session.close();
  return outputs.map((name) => numbersOf(results[name]!).map(Number));
}

const closeTo = (found: readonly number[], expected: readonly number[]): void => {
  expect(found).toHaveLength(expected.length);
  const largest = Math.max(...expected.map(Math.abs), 1);
  for (const [at, value] of expected.entries()) expect(Math.abs(found[at]! - value)).toBeLessThan(1e-5 * largest);
};

describe.each(cases)('pairs of texts by $pooling', (row) => {
  const { pooling } = row;
  const trained = async (compare: 'own' | 'all', loss: Parameters<typeof attachLoss>[1], given: object) => {
    const model = attachLoss(compareTextPairs(encoder(), { pooling, compare }), loss, {
      predictions: 'logits',
      labels: 'labels',
    });
    const withGradient = gradient(model, { of: 'loss', withRespectTo: ['states'] });
    return run(withGradient, given, ['logits', 'loss', 'loss_weight', 'states_grad']);
  };

  it('are found among all of the batch', async () => {
    const places = { labels: tensorFrom('int64', [0, 1, 2], [3]) };
    const [logits, loss, weight, byStates] = await trained('all', crossEntropy(), places);
    closeTo([logits![0]! / 20, logits![4]! / 20, logits![8]! / 20], row.similarities);
    closeTo(loss!, [row.ranking]);
    expect(weight).toEqual([3]);
    closeTo(byStates!, row.rankingGradient);
  });

  it('have similarities in the order of their labels', async () => {
    const [similarities, loss, weight, byStates] = await trained('own', coSent(), {
      labels: tensorFrom('float32', labels, [3]),
    });
    closeTo(similarities!, row.similarities);
    closeTo(loss!, [row.order]);
    expect(weight).toEqual([3]);
    closeTo(byStates!, row.orderGradient);
  });
});

describe('a model of pairs', () => {
  it('has finite gradients where a vector is zero', async () => {
    const model = attachLoss(compareTextPairs(encoder(), { pooling: 'mean', compare: 'own' }), coSent(), {
      predictions: 'logits',
      labels: 'labels',
    });
    const [byStates] = await run(
      gradient(model, { of: 'loss', withRespectTo: ['states'] }),
      {
        states: tensorFrom('float32', new Array(states.length).fill(0), dims),
        labels: tensorFrom('float32', labels, [3]),
      },
      ['states_grad'],
    );
    expect(byStates!.every(Number.isFinite)).toBe(true);
  });

  it('needs an encoder', () => {
    const config = { model_type: 'bert', hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, vocab_size: 9 };
    expect(() => compareTextPairs(bert(config), { pooling: 'mean', compare: 'own' })).toThrow(/last_hidden_state/);
    expect(() => compareTextPairs(encoder('hidden'), { pooling: 'mean', compare: 'own' })).toThrow(/known width/);
    expect(() => coSent({ scale: 0 })).toThrow(/scale should be a number above 0/);
    expect(() => coSent().labels(['batch', 2])).toThrow(/expected similarities \[batch\]/);
  });
});
