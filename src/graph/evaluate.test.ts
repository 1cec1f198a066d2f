import { describe, expect, test } from 'vitest';
import { type Tensor, tensorFrom } from '../base/tensor.ts';
import { float, graphAttribute, int } from './attributes.ts';
import { GraphBuilder, tensorInfo } from './builder.ts';
import { evaluate } from './evaluate.ts';
import { type Attribute, EMPTY_GRAPH, type FunctionDefinition, type Graph, type Model, type Node } from './ir.ts';
import { stored } from './stored.ts';

const vector = (...values: number[]): Tensor => tensorFrom('float32', values);

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  domain = '',
): Node {
  return { opType, domain, name: '', inputs, outputs, attributes: new Map(Object.entries(attributes)) };
}

function graph(nodes: readonly Node[], inputs: readonly string[], outputs: readonly string[]): Graph {
  const info = (name: string) => tensorInfo(name, { dtype: 'float32', shape: ['n'] });
  return {
    ...EMPTY_GRAPH,
    nodes,
    inputs: inputs.map(info),
    outputs: outputs.map(info),
  };
}

function modelOf(main: Graph, functions: readonly FunctionDefinition[] = []): Model {
  return { irVersion: 8, opsets: [{ domain: '', version: 17 }], graph: main, functions, trainingInfo: [] };
}

function functionOf(
  given: Partial<FunctionDefinition> & Pick<FunctionDefinition, 'name' | 'nodes'>,
): FunctionDefinition {
  return {
    domain: 'own',
    inputs: ['x'],
    outputs: ['y'],
    attributes: [],
    attributeDefaults: new Map(),
    opsets: [],
    valueInfo: [],
    ...given,
  };
}

describe('feeds and outputs', () => {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', ['batch', 2]);
  const weight = builder.initializer('w', vector(1, 10));
  const product = builder.op('Mul', [x, weight], {}, 'product');
  builder.output(builder.op('Exp', [builder.input('other', 'float32', [])], {}, 'grown'));
  builder.output(builder.op('Neg', [product], {}, 'y'));
  const model = builder.build();
  const feeds = { x: tensorFrom('float32', [1, 2, 3, 4], [2, 2]) };

  test('runs what the wanted outputs depend on, and no more', () => {
    expect(evaluate(model, feeds, ['y', 'product'])).toEqual({
      y: tensorFrom('float32', [-1, -20, -3, -40], [2, 2]),
      product: tensorFrom('float32', [1, 20, 3, 40], [2, 2]),
    });
  });

  test('an initializer may be replaced', () => {
    const { y } = evaluate(model, { ...feeds, w: vector(0, 1) }, ['y']);
    expect(y).toEqual(tensorFrom('float32', [-0, -2, -0, -4], [2, 2]));
  });

  test('an input with a default may be left out', () => {
    const main = {
      ...graph([node('Neg', ['k'], ['y'])], ['k'], ['y']),
      initializers: new Map([['k', stored(vector(2))]]),
    };
    expect(evaluate(modelOf(main))).toEqual({ y: vector(-2) });
    expect(evaluate(modelOf(main), { k: vector(3, 4) })).toEqual({ y: vector(-3, -4) });
  });

  test.each<[string, Readonly<Record<string, Tensor>>, readonly string[], string]>([
    ['a missing input', {}, ['y'], 'input "x" of graph "graph" is missing: expected float32[batch, 2]'],
    ['an unknown input', { z: vector(1) }, ['y'], 'the model has no input or initializer "z"\n  Its inputs: x, other'],
    ['a wrong shape', { x: vector(1, 2) }, ['y'], 'input "x": expected float32[batch, 2], got float32[2]'],
    [
      'a wrong type',
      { x: tensorFrom('int64', [1, 2], [1, 2]) },
      ['y'],
      'input "x": expected float32[batch, 2], got int64[1, 2]',
    ],
    ['a wrong weight', { ...feeds, w: vector(1) }, ['y'], 'input "w": expected float32[2], got float32[1]'],
    ['an unknown output', feeds, ['nothing'], 'an output needs "nothing", which nothing has given'],
  ])('%s', (_, given, outputs, message) => {
    expect(() => evaluate(model, given, outputs)).toThrow(message);
  });
});

describe('what goes wrong inside', () => {
  test.each([
    [
      'an operator without a reference',
      node('MaxRoiPool', ['x'], ['y']),
      'MaxRoiPool (of "y"): there is no reference for this operator',
    ],
    ['another domain', node('Gelu', ['x'], ['y'], {}, 'com.microsoft'), 'com.microsoft.Gelu (of "y"): there is no'],
    ['a value from nowhere', node('Add', ['x', 'ghost'], ['y']), 'Add (of "y") needs "ghost", which nothing has given'],
    ['an input left out', node('Add', ['x'], ['y']), 'Add (of "y"): input 1 is required but left out'],
    ['more outputs than there are', node('Neg', ['x'], ['y', 'z']), 'Neg (of "y"): has no output 1 ("z")'],
    ['shapes that do not fit', node('Reshape', ['x'], ['y']), 'Reshape (of "y"): the new shape is missing'],
  ])('%s names the node', (_, wrong, message) => {
    expect(() => evaluate(modelOf(graph([wrong], ['x'], ['y'])), { x: vector(1, 2) })).toThrow(message);
  });
});

describe('subgraphs', () => {
  test('read the values around them, through more than one level', () => {
    const inner = graph([node('Add', ['outer', 'x'], ['sum'])], [], ['sum']);
    const branch = (value: Graph) => ({ then_branch: graphAttribute(value), else_branch: graphAttribute(inner) });
    const middle = graph([node('If', ['flag'], ['deep'], branch(inner))], [], ['deep']);
    const main = graph([node('Neg', ['x'], ['outer']), node('If', ['flag'], ['y'], branch(middle))], ['x'], ['y']);
    const inputs = [...main.inputs, tensorInfo('flag', { dtype: 'bool', shape: [] })];
    const model = modelOf({ ...main, inputs });
    expect(evaluate(model, { x: vector(1, 2), flag: tensorFrom('bool', 1) })).toEqual({ y: vector(0, 0) });
  });

  test('run only the branch that is taken', () => {
    const fails = graph([node('MaxRoiPool', ['x'], ['z'])], [], ['z']);
    const works = graph([node('Neg', ['x'], ['z'])], [], ['z']);
    const branches = { then_branch: graphAttribute(works), else_branch: graphAttribute(fails) };
    const main = graph([node('If', ['flag'], ['y'], branches)], ['x'], ['y']);
    const inputs = [...main.inputs, tensorInfo('flag', { dtype: 'bool', shape: [] })];
    const model = modelOf({ ...main, inputs });
    expect(evaluate(model, { x: vector(1), flag: tensorFrom('bool', 1) })).toEqual({ y: vector(-1) });
    expect(() => evaluate(model, { x: vector(1), flag: tensorFrom('bool', 0) })).toThrow(
      'If (of "y"): MaxRoiPool (of "z"): there is no reference',
    );
  });
});

describe('functions of the model', () => {
  const leaky = functionOf({
    name: 'Leaky',
    attributes: ['slope'],
    attributeDefaults: new Map([['slope', float(0.5)]]),
    nodes: [node('LeakyRelu', ['x'], ['y'], { alpha: { kind: 'reference', value: 'slope', type: 1 } })],
  });

  test('take attributes from the call, else their defaults', () => {
    const nodes = [node('Leaky', ['x'], ['a'], {}, 'own'), node('Leaky', ['a'], ['y'], { slope: float(0.25) }, 'own')];
    expect(evaluate(modelOf(graph(nodes, ['x'], ['y']), [leaky]), { x: vector(-8, 8) })).toEqual({ y: vector(-1, 8) });
  });

  test('do not see the values of the caller, and call each other', () => {
    const twice = functionOf({
      name: 'Twice',
      nodes: [node('Leaky', ['x'], ['t'], {}, 'own'), node('Leaky', ['t'], ['y'], {}, 'own')],
    });
    const call = node('Twice', ['secret'], ['y'], {}, 'own');
    const main = graph([node('Neg', ['x'], ['secret']), call], ['x'], ['y']);
    expect(evaluate(modelOf(main, [leaky, twice]), { x: vector(8) })).toEqual({ y: vector(-2) });
    const peeping = functionOf({ name: 'Twice', nodes: [node('Neg', ['secret'], ['y'])] });
    expect(() => evaluate(modelOf(main, [peeping]), { x: vector(8) })).toThrow('Neg (of "y") needs "secret"');
  });

  test('have operator sets of their own, and optional inputs', () => {
    const old = functionOf({
      name: 'Old',
      inputs: ['x', 'low'],
      opsets: [{ domain: '', version: 12 }],
      nodes: [node('Clip', ['x', 'low'], ['c']), node('Softmax', ['c'], ['y'], { axis: int(0) })],
    });
    const main = graph([node('Old', ['x'], ['y'], {}, 'own')], ['x'], ['y']);
    expect(evaluate(modelOf(main, [old]), { x: vector(3, 3) })).toEqual({ y: vector(0.5, 0.5) });
  });

  test('that call themselves are refused', () => {
    const endless = functionOf({ name: 'Endless', nodes: [node('Endless', ['x'], ['y'], {}, 'own')] });
    const main = graph([node('Endless', ['x'], ['y'], {}, 'own')], ['x'], ['y']);
    expect(() => evaluate(modelOf(main, [endless]), { x: vector(1) })).toThrow('more than 64 functions deep');
  });
});

test('sparse initializers are values like others', () => {
  const main = graph([node('Neg', ['s'], ['y'])], [], ['y']);
  const sparse = {
    values: stored(vector(3, 5), 's'),
    indices: stored(tensorFrom('int64', [0, 1, 1, 0], [2, 2])),
    dims: [2, 2],
  };
  expect(evaluate(modelOf({ ...main, sparseInitializers: [sparse] }))).toEqual({
    y: tensorFrom('float32', [-0, -3, -5, -0], [2, 2]),
  });
});
