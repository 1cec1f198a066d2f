import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LatheError } from '../base/errors.ts';
import { int, string } from './attributes.ts';
import { check, problems } from './check.ts';
import { decodeModel } from './encoding.ts';
import { EMPTY_GRAPH, type FunctionDefinition, type Graph, type Model, type Node, type StoredTensor } from './ir.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const DATA = '/usr/share/libonnx-testdata/data';

interface Rule {
  readonly name: string;
  /** What Lathe's message contains; null for a valid model. */
  readonly says: string | null;
  /** The verdict of onnx.checker; null for a valid model. */
  readonly onnx: string | null;
  readonly model: string;
}

const rules = JSON.parse(readFileSync(join(FIXTURES, 'rules.json'), 'utf8')) as readonly Rule[];

describe("the verdict of ONNX's own checker", () => {
  it.each(rules)('is shared: $name', ({ says, onnx, model }) => {
    const found = problems(decodeModel(Buffer.from(model, 'base64')));
    expect(found.length > 0).toBe(onnx !== null);
    if (says !== null) expect(found.join('\n')).toContain(says);
  });
});

describe('valid models', () => {
  const paths = readdirSync(DATA, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.onnx'))
    .map((path) => join(DATA, path));

  it('are those of the ONNX test data', () => {
    expect(paths.length).toBeGreaterThan(1000);
    for (const path of paths) expect([path, problems(decodeModel(readFileSync(path)))]).toEqual([path, []]);
  });

  it('use whatever onnx.proto has', () => {
    expect(problems(decodeModel(readFileSync(join(FIXTURES, 'everything.onnx'))))).toEqual([]);
  });
});

const node = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  more: Partial<Node> = {},
): Node => ({
  opType,
  domain: '',
  name: '',
  inputs,
  outputs,
  attributes: new Map(),
  ...more,
});

const value = (name: string): Graph['inputs'][number] => ({
  name,
  type: { kind: 'tensor', dtype: 'float32', shape: [] },
});

function modelOf(nodes: readonly Node[], graph: Partial<Graph> = {}, model: Partial<Model> = {}): Model {
  return {
    irVersion: 10,
    opsets: [{ domain: '', version: 18 }],
    functions: [],
    trainingInfo: [],
    graph: {
      ...EMPTY_GRAPH,
      name: 'g',
      nodes,
      inputs: [value('x')],
      outputs: [value('y')],
      ...graph,
    },
    ...model,
  };
}

const relu = node('Relu', ['x'], ['y']);
const emptyGraph: Graph = modelOf([], { inputs: [], outputs: [] }).graph;
const definition = (name: string, calls: readonly string[]): FunctionDefinition => ({
  name,
  domain: 'local',
  inputs: ['a'],
  outputs: ['b'],
  attributes: [],
  attributeDefaults: new Map(),
  nodes: [
    ...calls.map((called, index) => node(called, ['a'], [`c${index}`], { domain: 'local' })),
    node('Neg', ['a'], ['b']),
  ],
  opsets: [
    { domain: '', version: 18 },
    { domain: 'local', version: 1 },
  ],
  valueInfo: [],
});
const local = {
  opsets: [
    { domain: '', version: 18 },
    { domain: 'local', version: 1 },
  ],
};

describe('rules that ONNX states but does not check', () => {
  const bytes = (size: number): StoredTensor['content'] => ({ kind: 'bytes', bytes: new Uint8Array(size) });
  const rows: Record<string, readonly [Model, string]> = {
    'an output that nothing defines': [modelOf([node('Relu', ['x'], ['z'])]), 'graph "g": output "y" is not defined'],
    'two outputs of one name': [modelOf([relu], { outputs: [value('y'), value('y')] }), 'two outputs named "y"'],
    'two types of one value': [
      modelOf([relu], { valueInfo: [value('v'), value('v')] }),
      'two types of values named "v"',
    ],
    'an operator set imported twice': [
      modelOf(
        [relu],
        {},
        {
          opsets: [
            { domain: '', version: 18 },
            { domain: '', version: 17 },
          ],
        },
      ),
      'the model imports the operator set "" twice',
    ],
    'a version that does not exist': [
      modelOf([relu], {}, { opsets: [{ domain: '', version: 0 }] }),
      'imports version 0 of the operator set ""',
    ],
    'a name in both kinds of initializers': [
      modelOf([relu], {
        initializers: new Map([['w', { dtype: 'float32', dims: [1], content: bytes(4) }]]),
        sparseInitializers: [
          {
            values: { name: 'w', dtype: 'float32', dims: [0], content: bytes(0) },
            indices: { dtype: 'int64', dims: [0], content: bytes(0) },
            dims: [3],
          },
        ],
      }),
      'two initializers named "w"',
    ],
    'a shape whose size overflows': [
      modelOf([relu], {
        initializers: new Map([['w', { dtype: 'float32', dims: [2 ** 30, 2 ** 30], content: bytes(4) }]]),
      }),
      'initializer "w" has a shape with more than 2^53 elements',
    ],
    'sparse indices that do not ascend': [
      modelOf([relu], {
        sparseInitializers: [
          {
            values: { name: 'w', dtype: 'float32', dims: [2], content: bytes(8) },
            indices: { dtype: 'int64', dims: [2], content: bytes(16) },
            dims: [3],
          },
        ],
      }),
      'sparse initializer "w" has indices that do not ascend',
    ],
    'functions that call each other': [
      modelOf([relu], {}, { functions: [definition('A', ['B']), definition('B', ['C']), definition('C', ['B'])] }),
      'functions call each other without end: "local.C" → "local.B" → "local.C"',
    ],
    'two functions of one name': [
      modelOf([relu], {}, { functions: [definition('A', []), definition('A', [])] }),
      'two functions "local.A"',
    ],
    'a call with too many inputs': [
      modelOf([node('A', ['x', 'x'], ['y'], { domain: 'local' })], {}, { ...local, functions: [definition('A', [])] }),
      'local.A (of "y") gives 2 inputs to a function of 1',
    ],
    'a call of an overload that is not there': [
      modelOf(
        [node('A', ['x'], ['y'], { domain: 'local', overload: 'f' })],
        {},
        { ...local, functions: [definition('A', [])] },
      ),
      'no function with the overload "f"',
    ],
    'a reference to no attribute of the function': [
      modelOf(
        [relu],
        {},
        {
          functions: [
            {
              ...definition('A', []),
              nodes: [
                node('Relu', ['a'], ['b'], {
                  attributes: new Map([['alpha', { kind: 'reference', value: 'nothing', type: 1 }]]),
                }),
              ],
            },
          ],
        },
      ),
      'attribute "alpha" refers to "nothing", which is no attribute of the function',
    ],
    'functions before there were any': [
      modelOf([relu], {}, { irVersion: 7, functions: [definition('A', [])] }),
      'IR version 7 knows no functions',
    ],
    'an update of what is no initializer': [
      modelOf(
        [relu],
        {},
        {
          trainingInfo: [{ algorithm: emptyGraph, initializationBinding: [], updateBinding: [['w', 'y']] }],
        },
      ),
      'the update sets "w", which is no initializer',
    ],
    'a training step that reads what is not there': [
      modelOf(
        [relu],
        {},
        {
          trainingInfo: [
            {
              algorithm: { ...emptyGraph, nodes: [node('Neg', ['nowhere'], ['z'])] },
              initializationBinding: [],
              updateBinding: [],
            },
          ],
        },
      ),
      'algorithm "g": input "nowhere" of Neg (of "z") is not defined',
    ],
  };
  it.each(Object.entries(rows))('%s', (_, [model, says]) => {
    expect(problems(model).join('\n')).toContain(says);
  });
});

describe('check', () => {
  it('throws all problems at once', () => {
    const model = modelOf([node('Relu', ['a'], ['z']), node('Neg', ['b'], ['z'])]);
    expect(() => check(model)).toThrow(LatheError);
    expect(() => check(model)).toThrow(
      [
        'the model has 4 problems:',
        '- graph "g": input "a" of Relu (of "z") is not defined',
        '- graph "g": input "b" of Neg (of "z") is not defined',
        '- graph "g": output "z" of Neg (of "z") is defined already',
        '- graph "g": output "y" is not defined',
      ].join('\n'),
    );
    check(modelOf([relu]));
  });

  it('stays short for a model of many problems', () => {
    const nodes = Array.from({ length: 1000 }, (_, index) => node('Neg', [`a${index}`], [`b${index}`]));
    expect(problems(modelOf(nodes))).toHaveLength(100);
    expect(() => check(modelOf(nodes))).toThrow(/the model has 100 problems:(\n- .*){10}\n- and 90 more$/);
  });

  it('follows a chain of any depth', () => {
    const nodes = Array.from({ length: 100_000 }, (_, index) => node('Neg', [`v${index + 1}`], [`v${index}`]));
    const found = problems(modelOf([...nodes, node('Neg', ['v0'], ['v100000'])], { outputs: [value('v0')] }));
    expect(found[0]).toBe(
      'graph "g": values depend on each other: "v0" → "v100000" → "v99999" → "v99998" → … → "v2" → "v1" → "v0"',
    );
  });

  it('lets the branches of one node use the same names', () => {
    const branch = (name: string): Graph => ({
      ...emptyGraph,
      name,
      nodes: [node('Neg', ['x'], ['inner'])],
      outputs: [{ name: 'inner' }],
    });
    const attributes: Node['attributes'] = new Map([
      ['then_branch', { kind: 'graph', value: branch('then') }],
      ['else_branch', { kind: 'graph', value: branch('else') }],
    ]);
    const boolean: Graph['inputs'][number] = { name: 'c', type: { kind: 'tensor', dtype: 'bool', shape: [] } };
    expect(problems(modelOf([node('If', ['c'], ['y'], { attributes })], { inputs: [value('x'), boolean] }))).toEqual(
      [],
    );
  });

  it('looks at no operator of its own', () => {
    expect(
      problems(
        modelOf([
          node('Relu', ['x'], ['y'], {
            attributes: new Map([
              ['odd', int(1)],
              ['text', string('s')],
            ]),
          }),
        ]),
      ),
    ).toEqual([]);
  });
});
