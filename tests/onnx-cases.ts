import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { codesOf, type DataType, float64Of, isFloat, type Tensor } from '../src/base/index.ts';
import {
  decodeModel,
  decodeTensor,
  isKnownOperator,
  type Model,
  tensorOf,
  type ValueInfo,
} from '../src/graph/index.ts';

/** The operator cases of the ONNX project (Debian package libonnx-testdata): a model, inputs and expected outputs each. */
const ROOT = '/usr/share/libonnx-testdata/data';

/** Cases that are not run, each with its reason. */
const RANDOM = 'drops elements at random, by the random numbers of NumPy';
const SEQUENCE = 'sequences and optional values are not tensors';
const UNFIT = 'its input "like" has the shape [1], where its model declares [3, 4]';
export const LEFT_OUT: Readonly<Record<string, string>> = {
  test_castlike_BFLOAT16_to_FLOAT: UNFIT,
  test_castlike_BFLOAT16_to_FLOAT_expanded: UNFIT,
  test_castlike_FLOAT_to_BFLOAT16: UNFIT,
  test_castlike_FLOAT_to_BFLOAT16_expanded: UNFIT,
  test_identity_opt: SEQUENCE,
  test_identity_sequence: SEQUENCE,
  test_if_opt: SEQUENCE,
  test_if_seq: SEQUENCE,
  test_loop13_seq: SEQUENCE,
  test_loop16_seq_none: SEQUENCE,
  test_training_dropout: RANDOM,
  test_training_dropout_mask: RANDOM,
  test_training_dropout_default: RANDOM,
  test_training_dropout_default_mask: RANDOM,
};

/**
 * How far a result may be from the expected one, relative to it, or absolutely below 1. The expected values were computed
 * by NumPy in the type of the output: one rounding of a float32 is 6e-8, and NumPy's kernels make several.
 */
export const TOLERANCE: Partial<Record<DataType, number>> = {
  float32: 1e-6,
  float64: 1e-12,
  float16: 1e-3,
  bfloat16: 0,
};

/** Rows that need another tolerance, each with its reason. */
const ROUGH_PI = [1e-4, 'the expected values take 3.1415 for π'] as const;
const DECIMALS = [1e-4, 'the expected values have four decimals'] as const;
export const TOLERANCE_OF: Readonly<Record<string, readonly [tolerance: number, reason: string]>> = {
  test_blackmanwindow_expanded: ROUGH_PI,
  test_blackmanwindow_symmetric_expanded: ROUGH_PI,
  test_cast_FLOAT_to_BFLOAT16: [2 ** -8, 'the expected values are cut off, not rounded: one unit in the last place'],
  test_gridsample_bicubic: DECIMALS,
  test_hammingwindow_expanded: ROUGH_PI,
  test_hammingwindow_symmetric_expanded: ROUGH_PI,
  test_hannwindow_expanded: ROUGH_PI,
  test_hannwindow_symmetric_expanded: ROUGH_PI,
  test_roialign_aligned_false: DECIMALS,
  test_roialign_aligned_true: DECIMALS,
};

export interface Case {
  readonly name: string;
  readonly folder: string;
  readonly model: Model;
}

export interface Values {
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly expected: Readonly<Record<string, Tensor>>;
}

/** The cases of a folder that have known operators only. */
export function knownCases(folder: string): Case[] {
  const root = join(ROOT, folder);
  expect(existsSync(root), `${root} is missing: install the Debian package libonnx-testdata`).toBe(true);
  return readdirSync(root)
    .sort()
    .map((name) => ({
      name,
      folder: join(root, name),
      model: decodeModel(readFileSync(join(root, name, 'model.onnx'))),
    }))
    .filter(({ model }) => model.graph.nodes.every(isKnownOperator));
}

/** What each data set of a case gives and expects, all of it. */
export function valuesOf(onnxCase: Case): Values[] {
  const sets = dataSetsOf(onnxCase);
  for (const { expected } of sets) expect(Object.keys(expected).length).toBe(onnxCase.model.graph.outputs.length);
  return sets;
}

/** The data sets of a case; sequences and optional values are left out. */
export function dataSetsOf({ folder, model }: Case): Values[] {
  const { inputs, outputs, initializers } = model.graph;
  const given = inputs.filter((input) => !initializers.has(input.name));
  return readdirSync(folder)
    .filter((name) => name.startsWith('test_data_set_'))
    .sort()
    .map((name) => join(folder, name))
    .map((set) => ({ feeds: tensorsOf(set, 'input', given), expected: tensorsOf(set, 'output', outputs) }));
}

function tensorsOf(folder: string, kind: 'input' | 'output', values: readonly ValueInfo[]): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [index, { name, type }] of values.entries()) {
    const file = join(folder, `${kind}_${index}.pb`);
    if (type?.kind !== 'tensor' || !existsSync(file)) continue;
    const read = tensorOf(decodeTensor(readFileSync(file)));
    // NumPy has no bfloat16: these files hold its bits as uint16.
    tensors[name] = type.dtype === 'bfloat16' && read.dtype === 'uint16' ? { ...read, dtype: 'bfloat16' } : read;
  }
  return tensors;
}

/** Floating point within the tolerance; everything else exactly. */
export function expectClose(actual: Tensor, expected: Tensor, given?: number): void {
  expect([actual.dtype, ...actual.dims]).toEqual([expected.dtype, ...expected.dims]);
  if (!isFloat(expected.dtype)) {
    const [codes, wanted] = [actual, expected].map((value) => Array.from(codesOf(value) as ArrayLike<unknown>));
    expect(codes).toEqual(wanted);
    return;
  }
  const tolerance = given ?? TOLERANCE[expected.dtype] ?? 0;
  const values = float64Of(actual);
  let worst = 0;
  float64Of(expected).forEach((value, index) => {
    const result = values[index]!;
    if (Object.is(value, result) || value === result) return;
    const error = Math.abs(result - value) / Math.max(1, Math.abs(value));
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  });
  expect(worst, 'largest relative error').toBeLessThanOrEqual(tolerance);
}
