import { expect, it } from 'vitest';
import { numbersOf, tensorFrom } from '../base/index.ts';
import { evaluate, inferShapes } from '../graph/index.ts';
import { linearModel } from './linear-model.ts';

const weights = new Map([
  ['linear.weight', tensorFrom('float32', [1, 2, 3, 4, 5, 6], [3, 2])],
  ['linear.bias', tensorFrom('float32', [0.5, -0.5])],
]);

it('sums the rows of the features by their weights; weight 0 is padding', () => {
  const model = linearModel({ vocabularySize: 3, labels: 2, weights });
  const outputs = evaluate(model, {
    feature_ids: tensorFrom('int64', [0, 2, 1, 0], [2, 2]),
    feature_weights: tensorFrom('float32', [1, 0.5, 2, 0], [2, 2]),
  });
  // [1, 2] + [5, 6] / 2 + bias; 2 · [3, 4] + bias
  expect(numbersOf(outputs.logits!)).toEqual([4, 4.5, 6.5, 7.5]);
});

it('starts at zero and keeps its dimensions dynamic', () => {
  const model = linearModel({ vocabularySize: 3, labels: 2 });
  expect(inferShapes(model).model.graph.outputs[0]?.type).toMatchObject({ shape: ['batch', 2] });
  expect([...model.graph.initializers.keys()].filter((name) => name.startsWith('linear.'))).toEqual([
    'linear.weight',
    'linear.bias',
  ]);
  const outputs = evaluate(model, {
    feature_ids: tensorFrom('int64', [2], [1, 1]),
    feature_weights: tensorFrom('float32', [1], [1, 1]),
  });
  expect(numbersOf(outputs.logits!)).toEqual([0, 0]);
});

it('refuses weights of another vocabulary', () => {
  expect(() => linearModel({ vocabularySize: 4, labels: 2, weights })).toThrow(
    'parameter "linear.weight": expected [4, 2] from the configuration, got [3, 2] in the weights',
  );
});
