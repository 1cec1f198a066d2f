import { describe, expect, test } from 'vitest';
import type { Tensor } from '../src/base/index.ts';
import {
  type Dimension,
  inferTypes,
  type Model,
  type StoredTensor,
  stored,
  type TensorType,
  tensorOf,
  type ValueType,
} from '../src/graph/index.ts';
import { dataSetsOf, knownCases } from './onnx-cases.ts';
import { VERSIONED_OPERATORS } from './versioned-operators.ts';

/** How many cases of each folder have known operators only. */
const MINIMUM = { node: 790, simple: 6, 'pytorch-operator': 35, 'pytorch-converted': 82 } as const;

for (const [folder, minimum] of Object.entries(MINIMUM)) {
  describe(`ONNX ${folder} cases`, () => {
    const cases = knownCases(folder);

    test(`at least ${minimum} cases`, () => {
      expect(cases.length).toBeGreaterThanOrEqual(minimum);
    });

    test.each(cases)('$name', (onnxCase) => {
      const { model } = onnxCase;
      const undeclared = withoutDeclarations(model);
      const declared = inferTypes(undeclared);
      for (const { name: output, type } of model.graph.outputs) expectToAgree(declared.get(output)?.type, type);

      for (const { feeds, expected: outputs } of dataSetsOf(onnxCase)) {
        const types = Object.fromEntries(Object.entries(feeds).map(([input, value]) => [input, typeOf(value)]));
        const fromTypes = inferTypes(undeclared, { inputs: types });
        const fromValues = inferTypes(withConstants(undeclared, feeds));
        for (const [output, value] of Object.entries(outputs)) {
          const expected = { kind: 'tensor', ...typeOf(value) } as const;
          expectToAgree(fromTypes.get(output)?.type, expected);
          const known = fromValues.get(output);
          expect(known?.type).toEqual(expected);
          expectElements(known?.elements, value, output);
        }
      }
    });
  });
}

/** Operators whose shapes depend on data of any kind. */
const OF_DATA: ReadonlySet<string> = new Set(['Loop', 'NonZero', 'Compress']);

describe.each(VERSIONED_OPERATORS)('$file', ({ model }) => {
  const types = inferTypes(model);

  test('shapes of all cases are known, and elements that are known are right', () => {
    for (const { opType, outputs } of model.graph.nodes) {
      for (const output of outputs) {
        const value = tensorOf(model.graph.initializers.get(`expected/${output}`)!);
        const known = types.get(output);
        const expected = { kind: 'tensor', ...typeOf(value) } as const;
        if (OF_DATA.has(opType)) expectToAgree(known?.type, expected);
        else expect(known?.type, output).toEqual(expected);
        expectElements(known?.elements, value, output);
      }
    }
  });
});

function expectElements(elements: readonly Dimension[] | undefined, value: Tensor, name: string): void {
  for (const [index, element] of (elements ?? []).entries()) {
    if (element !== null) expect(element, name).toBe(Number(value.data[index]));
  }
}

/** What is known must be so: element type, rank, and every dimension that is a number on both sides. */
function expectToAgree(inferred: ValueType | undefined, expected: ValueType | undefined): void {
  if (inferred === undefined || expected === undefined) return;
  expect(inferred.kind).toBe(expected.kind);
  if (inferred.kind !== 'tensor' || expected.kind !== 'tensor') return;
  expect(inferred.dtype).toBe(expected.dtype);
  if (inferred.shape === undefined || expected.shape === undefined) return;
  expect(inferred.shape.length).toBe(expected.shape.length);
  for (const [axis, dim] of inferred.shape.entries()) {
    const other = expected.shape[axis];
    if (typeof dim === 'number' && typeof other === 'number') expect(dim).toBe(other);
  }
}

function typeOf({ dtype, dims }: Tensor): TensorType & { readonly shape: readonly number[] } {
  return { dtype, shape: [...dims] };
}

/** The model without what it says of its outputs, so that everything has to be inferred. */
function withoutDeclarations(model: Model): Model {
  const outputs = model.graph.outputs.map(({ name }) => ({ name }));
  return { ...model, graph: { ...model.graph, outputs, valueInfo: [] } };
}

/** The model with its inputs of this data set built in. */
function withConstants(model: Model, inputs: Readonly<Record<string, Tensor>>): Model {
  const initializers = new Map<string, StoredTensor>(model.graph.initializers);
  for (const [name, value] of Object.entries(inputs)) initializers.set(name, stored(value));
  const open = model.graph.inputs.filter(({ name }) => !Object.hasOwn(inputs, name));
  return { ...model, graph: { ...model.graph, inputs: open, initializers } };
}
