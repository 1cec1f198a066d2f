import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../src/base/index.ts';
import {
  type Dimension,
  decodeModel,
  decodeTensor,
  inferTypes,
  isKnownOperator,
  type Model,
  type StoredTensor,
  stored,
  type TensorType,
  tensorOf,
  type ValueType,
} from '../src/graph/index.ts';

/** The operator cases of the ONNX project (Debian package libonnx-testdata): a model, inputs and expected outputs each. */
const ROOT = '/usr/share/libonnx-testdata/data';

/** How many cases of each folder have known operators only. */
const MINIMUM = { node: 790, simple: 6, 'pytorch-operator': 35, 'pytorch-converted': 82 } as const;

interface Case {
  readonly name: string;
  readonly path: string;
  readonly model: Model;
}

for (const [folder, minimum] of Object.entries(MINIMUM)) {
  describe(`ONNX ${folder} cases`, () => {
    const cases = knownCases(folder);

    test(`at least ${minimum} cases`, () => {
      expect(cases.length).toBeGreaterThanOrEqual(minimum);
    });

    test.each(cases)('$name', ({ path, model }) => {
      const undeclared = withoutDeclarations(model);
      const declared = inferTypes(undeclared);
      for (const { name: output, type } of model.graph.outputs) expectToAgree(declared.get(output)?.type, type);

      for (const set of readdirSync(path).filter((item) => item.startsWith('test_data_set_'))) {
        const inputs = tensorsOf(join(path, set), 'input', model.graph.inputs);
        const outputs = tensorsOf(join(path, set), 'output', model.graph.outputs);
        const types = Object.fromEntries([...inputs].map(([input, value]) => [input, typeOf(value)]));
        const fromTypes = inferTypes(undeclared, { inputs: types });
        const fromValues = inferTypes(withConstants(undeclared, inputs));
        for (const [output, value] of outputs) {
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

/** Each node of these models is a case: the forms of operators in operator sets 7 to 21, on constants. */
const FORMS = join(import.meta.dirname, 'fixtures/operators');

describe.each(readdirSync(FORMS).filter((name) => name.endsWith('.onnx')))('%s', (file) => {
  const model = decodeModel(readFileSync(join(FORMS, file)));
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

function knownCases(folder: string): Case[] {
  const root = join(ROOT, folder);
  expect(existsSync(root), `${root} is missing: install the Debian package libonnx-testdata`).toBe(true);
  return readdirSync(root)
    .sort()
    .map((name) => ({
      name,
      path: join(root, name),
      model: decodeModel(readFileSync(join(root, name, 'model.onnx'))),
    }))
    .filter(({ model }) => model.graph.nodes.every(isKnownOperator));
}

/** The model without what it says of its outputs, so that everything has to be inferred. */
function withoutDeclarations(model: Model): Model {
  const outputs = model.graph.outputs.map(({ name }) => ({ name }));
  return { ...model, graph: { ...model.graph, outputs, valueInfo: [] } };
}

/** The model with its inputs of this data set built in. */
function withConstants(model: Model, inputs: ReadonlyMap<string, Tensor>): Model {
  const initializers = new Map<string, StoredTensor>(model.graph.initializers);
  for (const [name, value] of inputs) initializers.set(name, stored(value));
  const open = model.graph.inputs.filter(({ name }) => !inputs.has(name));
  return { ...model, graph: { ...model.graph, inputs: open, initializers } };
}

/** The tensors of a data set by the names of the model; sequences and optional values are left out. */
function tensorsOf(
  folder: string,
  kind: 'input' | 'output',
  infos: readonly { readonly name: string; readonly type?: ValueType }[],
): ReadonlyMap<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [index, { name, type }] of infos.entries()) {
    const file = join(folder, `${kind}_${index}.pb`);
    if (type?.kind !== 'tensor' || !existsSync(file)) continue;
    const read = tensorOf(decodeTensor(readFileSync(file)));
    // NumPy has no bfloat16: these files hold its bits as uint16.
    tensors.set(name, type.dtype === 'bfloat16' && read.dtype === 'uint16' ? { ...read, dtype: 'bfloat16' } : read);
  }
  return tensors;
}
