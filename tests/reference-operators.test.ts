import { describe, expect, test } from 'vitest';
import { evaluate } from '../src/graph/index.ts';
import { expectClose, knownCases, LEFT_OUT, TOLERANCE_OF, valuesOf } from './onnx-cases.ts';

/** How many cases of each folder have known operators only. A case that stops running is a failure. */
const MINIMUM = { node: 810, simple: 6, 'pytorch-operator': 35, 'pytorch-converted': 82 } as const;
type Folder = keyof typeof MINIMUM;

for (const folder of Object.keys(MINIMUM) as Folder[]) {
  describe(`ONNX ${folder} cases`, () => {
    const cases = knownCases(folder);
    const left = cases.filter(({ name }) => name in LEFT_OUT);

    test(`at least ${MINIMUM[folder]} cases run`, () => {
      expect(cases.length - left.length).toBeGreaterThanOrEqual(MINIMUM[folder]);
    });

    for (const onnxCase of cases) {
      const { name, model } = onnxCase;
      if (name in LEFT_OUT) test.skip(`${name}: ${LEFT_OUT[name]}`);
      else
        test(name, () => {
          for (const { feeds, expected } of valuesOf(onnxCase)) {
            const results = evaluate(model, feeds);
            for (const [output, value] of Object.entries(expected)) {
              expectClose(results[output]!, value, TOLERANCE_OF[name]?.[0]);
            }
          }
        });
    }
  });
}
