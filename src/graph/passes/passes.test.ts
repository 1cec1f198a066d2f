import { describe, expect, test } from 'vitest';
import { DATA_TYPES } from '../../base/dtype.ts';
import { tensorFrom } from '../../base/tensor.ts';
import { float, graphAttribute, int } from '../attributes.ts';
import { GraphBuilder, tensorInfo } from '../builder.ts';
import { evaluate } from '../evaluate.ts';
import { EMPTY_GRAPH, type Graph, type Model, type Node } from '../ir.ts';
import { tensorOf } from '../stored.ts';
import { eliminateCommonSubexpressions } from './eliminate-common-subexpressions.ts';
import { foldConstants } from './fold-constants.ts';
import type { Pass } from './pass.ts';
import { removeDeadNodes } from './remove-dead-nodes.ts';
import { sortNodes } from './sort-nodes.ts';

const PASSES: Readonly<Record<string, Pass>> = {
  sortNodes,
  removeDeadNodes,
  foldConstants,
  eliminateCommonSubexpressions,
};

const operators = (model: Model): string[] => model.graph.nodes.map(({ opType }) => opType);

function node(opType: string, inputs: readonly string[], outputs: readonly string[], name = ''): Node {
  return { opType, domain: '', name, inputs, outputs, attributes: new Map() };
}

function graph(nodes: readonly Node[], outputs: readonly string[], inputs: readonly string[] = []): Graph {
  const info = (name: string) => tensorInfo(name, { dtype: 'float32', shape: [2] });
  return {
    ...EMPTY_GRAPH,
    name: 'g',
    nodes,
    inputs: inputs.map(info),
    outputs: outputs.map(info),
  };
}

function modelOf(main: Graph): Model {
  return { irVersion: 8, opsets: [{ domain: '', version: 17 }], graph: main, functions: [], trainingInfo: [] };
}

/** `x` in, `y` out; the body reads `outer`, which the main graph computes. */
function withSubgraph(body: readonly Node[], before: readonly Node[]): Model {
  const choose: Node = {
    ...node('If', ['flag'], ['y']),
    attributes: new Map([
      ['then_branch', graphAttribute(graph(body, ['inner']))],
      ['else_branch', graphAttribute(graph([node('Identity', ['x'], ['other'])], ['other']))],
    ]),
  };
  const main = graph([...before, choose], ['y'], ['x']);
  return modelOf({ ...main, inputs: [...main.inputs, tensorInfo('flag', { dtype: 'bool', shape: [] })] });
}

function thenBranch(model: Model): Graph {
  const attribute = model.graph.nodes.find(({ opType }) => opType === 'If')!.attributes.get('then_branch');
  if (attribute?.kind !== 'graph') throw new Error('no branch');
  return attribute.value;
}

describe('every pass', () => {
  test.each(Object.entries(PASSES))('%s gives back the same model where there is nothing to do', (_, pass) => {
    const model = modelOf(graph([node('Relu', ['x'], ['a']), node('Exp', ['a'], ['y'])], ['y'], ['x']));
    const result = pass(model);
    expect(result.changed).toBe(false);
    expect(result.model).toBe(model);
  });

  test.each(Object.entries(PASSES))('%s is idempotent, leaves its input as it was and shares weights', (_, pass) => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2, 2]);
    const weight = builder.initializer('w', tensorFrom('float32', [1, 2, 3, 4], [2, 2]));
    const two = builder.cast(builder.int64s([1, 2]), DATA_TYPES.float32.code);
    const products = [builder.matMul(x, weight), builder.matMul(x, weight)];
    builder.exp(x);
    builder.output(builder.add(builder.mul(products[0]!, two), products[1]!), undefined, 'y');
    const model = builder.build();
    // Out of order, so that there is something to sort.
    const given = { ...model, graph: { ...model.graph, nodes: [...model.graph.nodes].reverse() } };
    const start = pass === sortNodes ? given : model;
    const copy = structuredClone(start);
    const first = pass(start);
    expect(first.changed).toBe(true);
    expect(start).toEqual(copy);
    expect(pass(first.model).changed).toBe(false);
    expect(first.model.graph.initializers.get('w')).toBe(model.graph.initializers.get('w'));
    const feeds = { x: tensorFrom('float32', [1, -1, 0.5, 2], [2, 2]) };
    expect(evaluate(first.model, feeds)).toEqual(evaluate(model, feeds));
  });

  test('long chains and wide graphs need no stack', () => {
    const nodes = Array.from({ length: 20_000 }, (_, index) =>
      node('Neg', [index === 0 ? 'x' : `v${index - 1}`], [`v${index}`]),
    );
    const model = modelOf(graph(nodes.reverse(), ['v19999'], ['x']));
    const { model: sorted } = sortNodes(model);
    expect(sorted.graph.nodes[0]!.inputs).toEqual(['x']);
    for (const pass of Object.values(PASSES)) expect(pass(sorted).changed).toBe(false);
  });
});

describe('sortNodes', () => {
  test('moves a node only in front of what needs it', () => {
    const nodes = [
      node('Exp', ['x'], ['first']),
      node('Add', ['late', 'first'], ['y']),
      node('Relu', ['x'], ['second']),
      node('Neg', ['x'], ['late']),
    ];
    const { model, changed } = sortNodes(modelOf(graph(nodes, ['y', 'second'], ['x'])));
    expect(changed).toBe(true);
    expect(operators(model)).toEqual(['Exp', 'Neg', 'Add', 'Relu']);
  });

  test('names the nodes of a cycle in the direction of the data', () => {
    const nodes = [
      node('Add', ['x', 'c'], ['a'], 'start'),
      node('Relu', ['a'], ['b'], 'middle'),
      node('Neg', ['b'], ['c']),
    ];
    expect(() => sortNodes(modelOf(graph(nodes, ['b'], ['x'])))).toThrow(
      'graph "g" has a cycle: Add "start" → Relu "middle" → Neg (of "c") → Add "start"',
    );
    expect(() => sortNodes(modelOf(graph([node('Neg', ['a'], ['a'])], ['a'])))).toThrow('Neg (of "a") → Neg (of "a")');
  });

  test('puts what a subgraph reads in front of its node, and sorts inside', () => {
    const body = [node('Neg', ['twice'], ['inner']), node('Add', ['outer', 'outer'], ['twice'])];
    const model = withSubgraph(body, []);
    const late = { ...model, graph: { ...model.graph, nodes: [...model.graph.nodes, node('Exp', ['x'], ['outer'])] } };
    const { model: sorted } = sortNodes(late);
    expect(operators(sorted)).toEqual(['Exp', 'If']);
    expect(thenBranch(sorted).nodes.map(({ opType }) => opType)).toEqual(['Add', 'Neg']);
  });

  test('sorts functions', () => {
    const model: Model = {
      ...modelOf(graph([], [])),
      functions: [
        {
          name: 'f',
          domain: 'd',
          inputs: ['x'],
          outputs: ['y'],
          attributes: [],
          attributeDefaults: new Map(),
          nodes: [node('Exp', ['a'], ['y']), node('Neg', ['x'], ['a'])],
          opsets: [],
          valueInfo: [],
        },
      ],
    };
    expect(sortNodes(model).model.functions[0]!.nodes.map(({ opType }) => opType)).toEqual(['Neg', 'Exp']);
  });
});

describe('removeDeadNodes', () => {
  test('removes chains that end nowhere, with their initializers and declared types', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2]);
    builder.input('unused', 'float32', [2]);
    const weight = builder.initializer('w', tensorFrom('float32', [1, 2]));
    builder.initializer('orphan', tensorFrom('float32', [1, 2]));
    const dead = builder.op('Exp', [builder.mul(x, builder.initializer('v', tensorFrom('float32', [3, 4])))]);
    builder.output(builder.add(x, weight), undefined, 'y');
    const built = builder.build();
    const model = {
      ...built,
      graph: { ...built.graph, valueInfo: [tensorInfo(dead, { dtype: 'float32', shape: [2] })] },
    };
    const { model: result, changed } = removeDeadNodes(model);
    expect(changed).toBe(true);
    expect(operators(result)).toEqual(['Add', 'Identity']);
    expect([...result.graph.initializers.keys()]).toEqual(['w']);
    expect(result.graph.inputs.map(({ name }) => name)).toEqual(['x', 'unused']);
    expect(result.graph.valueInfo).toEqual([]);
  });

  test('keeps what only a subgraph reads, and drops what only a dead node of it read', () => {
    const before = [node('Exp', ['x'], ['outer']), node('Neg', ['x'], ['wasted'])];
    const body = [node('Add', ['outer', 'outer'], ['inner']), node('Relu', ['wasted'], ['nowhere'])];
    const { model } = removeDeadNodes(withSubgraph(body, before));
    expect(operators(model)).toEqual(['Exp', 'If']);
    expect(thenBranch(model).nodes).toHaveLength(1);
  });

  test('keeps the defaults of graph inputs, and what training information refers to', () => {
    const main = graph([node('Exp', ['x'], ['y']), node('Neg', ['state'], ['kept'])], ['y'], ['x', 'optional']);
    const weight = { dtype: 'float32', dims: [2], content: { kind: 'bytes', bytes: new Uint8Array(8) } } as const;
    const initializers = new Map([
      ['optional', weight],
      ['state', weight],
      ['orphan', weight],
    ]);
    const algorithm = graph([node('Abs', ['kept'], ['next'])], ['next']);
    const { model } = removeDeadNodes({
      ...modelOf({ ...main, initializers }),
      trainingInfo: [{ algorithm, initializationBinding: [], updateBinding: [['state', 'next']] }],
    });
    expect([...model.graph.initializers.keys()]).toEqual(['optional', 'state']);
    expect(operators(model)).toEqual(['Exp', 'Neg']);
  });
});

describe('foldConstants', () => {
  test('computes what depends on constants only', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2, 3]);
    const size = builder.op('Gather', [builder.int64s([2, 3]), builder.int64s([0])]);
    const target = builder.concat([size, builder.int64s([-1])], 0);
    builder.output(builder.reshape(x, target), undefined, 'y');
    const { model, changed } = foldConstants(builder.build());
    expect(changed).toBe(true);
    expect(operators(model)).toEqual(['Reshape', 'Identity']);
    expect(tensorOf(model.graph.initializers.get(target)!)).toEqual(tensorFrom('int64', [2, -1]));
  });

  test('takes shapes from what the graph declares in full', () => {
    const builder = new GraphBuilder();
    const known = builder.shape(builder.input('known', 'float32', [2, 3]));
    const open = builder.shape(builder.input('open', 'float32', ['batch', 3]));
    builder.output(builder.op('Add', [known, open]), undefined, 'y');
    const { model } = foldConstants(builder.build());
    expect(operators(model)).toEqual(['Shape', 'Add', 'Identity']);
    expect(tensorOf(model.graph.initializers.get(known)!)).toEqual(tensorFrom('int64', [2, 3]));
  });

  test('leaves weights alone unless asked', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2, 2]);
    const weight = builder.initializer('w', tensorFrom('float32', [1, 2, 3, 4], [2, 2]));
    const turned = builder.transpose(weight, [1, 0]);
    builder.output(builder.matMul(x, turned), undefined, 'y');
    const model = builder.build();
    expect(foldConstants(model).changed).toBe(false);
    const folded = foldConstants(model, { weights: true }).model;
    expect(operators(folded)).toEqual(['MatMul', 'Identity']);
    expect(tensorOf(folded.graph.initializers.get(turned)!)).toEqual(tensorFrom('float32', [1, 3, 2, 4], [2, 2]));
    expect(removeDeadNodes(folded).model.graph.initializers.has('w')).toBe(false);
  });

  test.each([
    ['a constant of 4 GB', (builder: GraphBuilder) => builder.op('ConstantOfShape', [builder.int64s([32768, 32768])])],
    ['an expansion', (builder: GraphBuilder) => builder.expand(builder.int64s([1]), builder.int64s([1e6, 1e6]))],
    ['a range', (builder: GraphBuilder) => builder.op('Range', range(builder, [0, 2 ** 52, 1]))],
    [
      'a broadcast sum',
      (builder: GraphBuilder) =>
        builder.add(
          builder.constant(tensorFrom('int64', new Array(100_000).fill(1), [100_000, 1])),
          builder.constant(tensorFrom('int64', new Array(100_000).fill(1))),
        ),
    ],
    ['padding', (builder: GraphBuilder) => builder.op('Pad', [builder.int64s([1]), builder.int64s([0, 2 ** 40])])],
    ['tiles', (builder: GraphBuilder) => builder.op('Tile', [builder.int64s([1]), builder.int64s([2 ** 40])])],
    [
      'one-hot rows',
      (builder: GraphBuilder) =>
        builder.op('OneHot', [builder.int64s([1]), builder.scalar(2 ** 40, 'int64'), builder.int64s([0, 1])]),
    ],
  ])('%s beyond the limit is neither computed nor allocated', (_, build) => {
    const builder = new GraphBuilder();
    builder.output(build(builder), undefined, 'y');
    expect(foldConstants(builder.build()).changed).toBe(false);
  });

  test('the limit is an option, and results no larger than their inputs pass it', () => {
    const builder = new GraphBuilder();
    const zeros = builder.op('ConstantOfShape', [builder.int64s([1000])]);
    const turned = builder.transpose(builder.constant(tensorFrom('int64', [1, 2, 3, 4, 5, 6], [2, 3])), [1, 0]);
    builder.output(
      builder.add(zeros, builder.cast(builder.reshape(turned, builder.int64s([6])), DATA_TYPES.float32.code)),
    );
    const types = operators(foldConstants(builder.build(), { maximumBytes: 16 }).model);
    expect(types).toContain('ConstantOfShape');
    expect(types).not.toContain('Transpose');
  });

  test('a default that callers may replace is no constant; before IR version 4 it cannot be replaced', () => {
    const main = graph([node('Neg', ['k'], ['a']), node('Identity', ['a'], ['y'])], ['y'], ['k']);
    const k = { dtype: 'int64', dims: [1], content: { kind: 'bytes', bytes: new Uint8Array(8) } } as const;
    const model = modelOf({ ...main, initializers: new Map([['k', k]]) });
    expect(foldConstants(model).changed).toBe(false);
    expect(foldConstants({ ...model, irVersion: 3 }).changed).toBe(true);
  });

  test('folds inside subgraphs, with the constants of the graphs around', () => {
    const ten: Node = { ...node('Constant', [], ['ten']), attributes: new Map([['value_float', float(10)]]) };
    const body = [node('Neg', ['ten'], ['minus']), node('Add', ['x', 'minus'], ['inner'])];
    const { model } = foldConstants(withSubgraph(body, [ten]));
    expect(thenBranch(model).nodes.map(({ opType }) => opType)).toEqual(['Add']);
    expect(tensorOf(thenBranch(model).initializers.get('minus')!)).toEqual(tensorFrom('float32', -10));
  });

  test('what the reference refuses stays in the graph', () => {
    const builder = new GraphBuilder();
    const ones = builder.int64s([1]);
    builder.output(builder.add(builder.op('Div', [ones, builder.int64s([0])]), ones), undefined, 'y');
    expect(foldConstants(builder.build()).changed).toBe(false);
  });
});

describe('eliminateCommonSubexpressions', () => {
  test('merges chains, and tells attributes apart', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2, 2]);
    const chain = () => builder.exp(builder.transpose(x, [1, 0]));
    const sums = [builder.add(chain(), chain()), builder.op('Softmax', [x], { axis: int(0) })];
    const rest = [builder.op('Softmax', [x], { axis: int(1) }), builder.op('Softmax', [x], { axis: int(0) })];
    builder.output(builder.op('Sum', [...sums, ...rest]), undefined, 'y');
    const { model } = eliminateCommonSubexpressions(builder.build());
    expect(operators(model)).toEqual(['Transpose', 'Exp', 'Add', 'Softmax', 'Softmax', 'Sum', 'Identity']);
    expect(model.graph.nodes[2]!.inputs).toEqual(['exp', 'exp']);
  });

  test('0 and -0 are different attributes', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [2]);
    const scaled = [0, -0].map((alpha) => builder.op('LeakyRelu', [x], { alpha: float(alpha) }));
    builder.output(builder.op('Sum', scaled), undefined, 'y');
    expect(eliminateCommonSubexpressions(builder.build()).changed).toBe(false);
  });

  test('never merges random numbers, other domains, or equal weights', () => {
    const twice = (make: (index: number) => Node): Node[] => [make(0), make(1)];
    const nodes = [
      ...twice((index) => node('RandomNormalLike', ['x'], [`r${index}`])),
      ...twice((index) => node('Dropout', ['x'], [`d${index}`])),
      ...twice((index) => ({ ...node('Noise', ['x'], [`n${index}`]), domain: 'other' })),
      ...twice((index) => node('Add', ['x', `w${index}`], [`a${index}`])),
    ];
    const weight = { dtype: 'float32', dims: [2], content: { kind: 'bytes', bytes: new Uint8Array(8) } } as const;
    const initializers = new Map([
      ['w0', weight],
      ['w1', weight],
    ]);
    const names = nodes.flatMap(({ outputs }) => outputs);
    const main = graph([...nodes, node('Sum', names, ['y'])], ['y'], ['x']);
    expect(eliminateCommonSubexpressions(modelOf({ ...main, initializers })).changed).toBe(false);
  });

  test('graph outputs keep their names', () => {
    const nodes = [node('Exp', ['x'], ['a']), node('Exp', ['x'], ['y']), node('Neg', ['y'], ['z'])];
    expect(eliminateCommonSubexpressions(modelOf(graph(nodes, ['a', 'y', 'z'], ['x']))).changed).toBe(false);
  });

  test('a subgraph reads what the graph around it has computed', () => {
    const body = [node('Exp', ['x'], ['again']), node('Neg', ['again'], ['inner'])];
    const before = [node('Exp', ['x'], ['outer']), node('Exp', ['x'], ['gone']), node('Abs', ['gone'], ['unused'])];
    const { model } = eliminateCommonSubexpressions(withSubgraph(body, before));
    expect(operators(model)).toEqual(['Exp', 'Abs', 'If']);
    expect(thenBranch(model).nodes.map(({ inputs }) => inputs)).toEqual([['outer']]);
  });

  test('renames a merged value where a subgraph gives it out', () => {
    const before = [node('Exp', ['x'], ['outer']), node('Exp', ['x'], ['inner'])];
    const { model } = eliminateCommonSubexpressions(withSubgraph([], before));
    expect(thenBranch(model).outputs.map(({ name }) => name)).toEqual(['outer']);
  });
});

function range(builder: GraphBuilder, bounds: readonly number[]): string[] {
  return bounds.map((bound) => builder.scalar(bound, 'int64'));
}
