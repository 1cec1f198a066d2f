import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { codesOf, type DataType, float64Of, isFloat, type Tensor } from '../src/base/index.ts';
import { decodeModel, type Model, tensorOf } from '../src/graph/index.ts';

/**
 * Each node of these models is a case, made by generate.py beside them: the forms that operators had in operator sets 7
 * to 21, and their element types.
 */
const FOLDER = join(import.meta.dirname, 'fixtures/operators');
export const VERSIONED_OPERATORS = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.onnx'))
  .map((file) => ({ file, model: decodeModel(readFileSync(join(FOLDER, file))) }));

/** Relative to the expected value, or absolute below 1: the oracles compute in the type of the output, we round once. */
const TOLERANCE: Partial<Record<DataType, readonly [tolerance: number, reason: string]>> = {
  float32: [1e-6, 'a few roundings of 6e-8'],
  float64: [1e-13, 'a few roundings of 1e-16'],
  float16: [2e-3, 'a few roundings of 5e-4'],
  bfloat16: [1.6e-2, 'a few roundings of 4e-3'],
};

/** What the case of the given outputs expects, against what came out. */
export function expectOutputs(
  model: Model,
  outputs: readonly string[],
  results: Readonly<Record<string, Tensor>>,
): void {
  for (const output of outputs) {
    const expected = tensorOf(model.graph.initializers.get(`expected/${output}`)!);
    expectClose(results[output]!, expected);
  }
}

function expectClose(actual: Tensor, expected: Tensor): void {
  expect([actual.dtype, ...actual.dims]).toEqual([expected.dtype, ...expected.dims]);
  if (!isFloat(expected.dtype)) {
    expect(Array.from(codesOf(actual) as ArrayLike<unknown>)).toEqual(
      Array.from(codesOf(expected) as ArrayLike<unknown>),
    );
    return;
  }
  const tolerance = TOLERANCE[expected.dtype]?.[0] ?? 0;
  const values = float64Of(actual);
  let worst = 0;
  float64Of(expected).forEach((value, index) => {
    if (value === values[index] || (Number.isNaN(value) && Number.isNaN(values[index]))) return;
    const error = Math.abs(values[index]! - value) / Math.max(1, Math.abs(value));
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  });
  expect(worst, 'largest relative error').toBeLessThanOrEqual(tolerance);
}
