import { describe, expect, test } from 'vitest';
import { evaluate, OPERATORS } from '../src/graph/index.ts';
import { expectOutputs, VERSIONED_OPERATORS } from './versioned-operators.ts';

const MINIMUM = 1000;

test(`at least ${MINIMUM} cases, one of every operator`, () => {
  const nodes = VERSIONED_OPERATORS.flatMap(({ model }) => model.graph.nodes);
  expect(nodes.length).toBeGreaterThanOrEqual(MINIMUM);
  expect(OPERATORS.filter((name) => !nodes.some(({ opType }) => opType === name))).toEqual([]);
});

describe.each(VERSIONED_OPERATORS)('$file', ({ model }) => {
  test.each(model.graph.nodes.map((node) => [node.name, node] as const))('%s', (_, node) => {
    const results = evaluate(model, {}, node.outputs);
    expectOutputs(model, node.outputs, results);
  });
});
