import { describe, expect, test } from 'vitest';
import {
  check,
  convertOperatorSet,
  evaluate,
  type Model,
  type Node,
  opsetOf,
  subgraphsOf,
} from '../src/graph/index.ts';
import { expectClose, knownCases, LEFT_OUT, TOLERANCE_OF, valuesOf } from './onnx-cases.ts';
import { expectOutputs, VERSIONED_OPERATORS } from './versioned-operators.ts';

/** How many cases of each folder have an older operator set than 17. One that is not converted any more is a failure. */
const MINIMUM = { node: 765, simple: 6, 'pytorch-operator': 35, 'pytorch-converted': 82 } as const;

/** Cases whose conversion is refused, each with what the message says. */
const BATCHES = /^Scan .* cannot be raised from operator set 8 to \d+: a scan over batches/;
const REFUSED: Readonly<Record<string, RegExp>> = {
  test_scan_sum: BATCHES,
  'Scan-8 backward': BATCHES,
  'Scan-8 batches': BATCHES,
};

for (const folder of Object.keys(MINIMUM) as (keyof typeof MINIMUM)[]) {
  describe(`ONNX ${folder} cases, raised to operator set 17`, () => {
    const cases = knownCases(folder).filter(
      ({ name, model }) => !(name in LEFT_OUT) && (opsetOf(model) ?? Infinity) < 17,
    );

    test(`at least ${MINIMUM[folder]} cases`, () => {
      expect(cases.filter(({ name }) => !(name in REFUSED)).length).toBeGreaterThanOrEqual(MINIMUM[folder]);
    });

    test.each(cases.map((onnxCase) => [onnxCase.name, onnxCase] as const))('%s', (name, onnxCase) => {
      const refusal = REFUSED[name];
      if (refusal !== undefined) {
        expect(() => convertOperatorSet(onnxCase.model)).toThrow(refusal);
        return;
      }
      const { model, changed } = convertOperatorSet(onnxCase.model);
      expect([changed, opsetOf(model)]).toEqual([true, 17]);
      expectNewForms(model);
      for (const { feeds, expected } of valuesOf(onnxCase)) {
        const results = evaluate(model, feeds);
        for (const [output, value] of Object.entries(expected)) {
          expectClose(results[output]!, value, TOLERANCE_OF[name]?.[0]);
        }
      }
    });
  });
}

/** Attributes that operators lost on the way to operator set 17: none may be left. */
const LOST: Readonly<Record<string, readonly string[]>> = {
  BatchNormalization: ['spatial', 'is_test'],
  Clip: ['min', 'max'],
  Dropout: ['ratio', 'is_test'],
  Pad: ['pads', 'value', 'paddings'],
  ReduceSum: ['axes'],
  Reshape: ['shape'],
  Slice: ['starts', 'ends', 'axes'],
  Split: ['split'],
  Squeeze: ['axes'],
  TopK: ['k'],
  Unsqueeze: ['axes'],
  Upsample: ['mode'],
};

function expectNewForms(model: Model): void {
  const visit = (node: Node): void => {
    for (const name of [...(LOST[node.opType] ?? []), 'broadcast', 'consumed_inputs']) {
      expect(node.attributes.has(name), `${node.opType} has ${name}`).toBe(false);
    }
    for (const graph of subgraphsOf(node)) graph.nodes.forEach(visit);
  };
  model.graph.nodes.forEach(visit);
  check(model);
}

/** Each node a case of its own, in the form that a model of it alone has. */
const OPERATOR_CASES = VERSIONED_OPERATORS.flatMap(({ model }) =>
  model.graph.nodes.map((node) => {
    const outputs = node.outputs.map((name) => ({ name }));
    return { node, model: { ...model, graph: { ...model.graph, nodes: [node], outputs } } satisfies Model };
  }),
);

describe.each([17, 21])('operator cases of older sets, raised to %i', (to) => {
  const cases = OPERATOR_CASES.filter(({ model }) => opsetOf(model)! < to);

  test('more than 500', () => {
    expect(cases.length).toBeGreaterThan(500);
  });

  test.each(cases.map((one) => [one.node.name, one] as const))('%s', (name, { node, model }) => {
    const refusal = REFUSED[name];
    if (refusal !== undefined) {
      expect(() => convertOperatorSet(model, { to })).toThrow(refusal);
      return;
    }
    const raised = convertOperatorSet(model, { to }).model;
    expectOutputs(model, node.outputs, evaluate(raised, {}, node.outputs));
  });
});
