import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataType, Tensor } from '../src/base/index.ts';
import { decodeModel, type Model, tensorOf } from '../src/graph/index.ts';
import { expectClose } from './onnx-cases.ts';

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
    expectClose(results[output]!, expected, TOLERANCE[expected.dtype]?.[0]);
  }
}
