import { describe, expect, it } from 'vitest';
import { numbersOf, tensorFrom } from '../../base/tensor.ts';
import { float, graphAttribute, int, ints } from '../attributes.ts';
import { tensorInfo } from '../builder.ts';
import { check } from '../check.ts';
import { evaluate } from '../evaluate.ts';
import { type Attribute, EMPTY_GRAPH, type FunctionDefinition, type Model, type Node } from '../ir.ts';
import { inlineFunctions } from './inline-functions.ts';

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  options: {
    readonly attributes?: Readonly<Record<string, Attribute>>;
    readonly domain?: string;
    readonly name?: string;
  } = {},
): Node {
  const { attributes = {}, domain = '', name = '' } = options;
  return { opType, domain, name, inputs, outputs, attributes: new Map(Object.entries(attributes)) };
}

function functionOf(
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  nodes: readonly Node[],
  rest: Partial<FunctionDefinition> = {},
): FunctionDefinition {
  return {
    name,
    domain: 'own',
    inputs,
    outputs,
    nodes,
    attributes: [],
    attributeDefaults: new Map(),
    opsets: [
      { domain: '', version: 17 },
      { domain: 'own', version: 1 },
    ],
    valueInfo: [],
    ...rest,
  };
}

function modelOf(nodes: readonly Node[], functions: readonly FunctionDefinition[], version = 17): Model {
  return {
    irVersion: 8,
    opsets: [
      { domain: '', version },
      { domain: 'own', version: 1 },
    ],
    functions,
    trainingInfo: [],
    graph: {
      ...EMPTY_GRAPH,
      nodes,
      inputs: [tensorInfo('x', { dtype: 'float32', shape: [3] })],
      outputs: nodes.at(-1)!.outputs.map((name) => tensorInfo(name, { dtype: 'float32' })),
    },
  };
}

const call = (opType: string, inputs: readonly string[], outputs: readonly string[], attributes = {}): Node =>
  node(opType, inputs, outputs, { domain: 'own', name: `${opType}_${outputs[0]}`, attributes });

const LEAK: Attribute = { kind: 'reference', value: 'slope', type: 1 };
const leaky = functionOf(
  'Leaky',
  ['a', 'shift'],
  ['b'],
  [
    node('LeakyRelu', ['a'], ['inner'], { name: 'leak', attributes: { alpha: LEAK } }),
    node('Sum', ['inner', 'inner'], ['b']),
  ],
  { attributeDefaults: new Map([['slope', float(0.5)]]) },
);

/** What comes out, before and after, which must be the same. */
function both(model: Model): Record<string, number[]> {
  const { model: flat, changed } = inlineFunctions(model);
  expect(changed).toBe(true);
  expect(flat.functions).toEqual([]);
  check(flat);
  const feeds = { x: tensorFrom('float32', [-2, 1, 4]) };
  const [before, after] = [evaluate(model, feeds), evaluate(flat, feeds)].map((results) =>
    Object.fromEntries(Object.entries(results).map(([name, value]) => [name, numbersOf(value)])),
  );
  expect(after).toEqual(before);
  return after!;
}

describe('functions in place of their calls', () => {
  it('with attributes of the call and defaults, and names after the call', () => {
    const model = modelOf(
      [call('Leaky', ['x'], ['h']), call('Leaky', ['h', ''], ['y'], { slope: float(0.25) })],
      [leaky],
    );
    expect(both(model)).toEqual({ y: [-2, 4, 16].map((value) => (value < 0 ? value * 0.5 : value)) });
    const { graph, opsets } = inlineFunctions(model).model;
    expect(graph.nodes.map(({ name, outputs }) => [name, outputs[0]])).toEqual([
      ['Leaky_h/leak', 'Leaky_h/inner'],
      ['', 'h'],
      ['Leaky_y/leak', 'Leaky_y/inner'],
      ['', 'y'],
    ]);
    expect(opsets).toEqual([{ domain: '', version: 17 }]);
  });

  it('inside of other functions', () => {
    const twice = functionOf('Twice', ['a'], ['b'], [call('Leaky', ['a'], ['c']), call('Leaky', ['c'], ['b'])]);
    expect(both(modelOf([call('Twice', ['x'], ['y'])], [twice, leaky]))).toEqual({ y: [-2, 4, 16] });
  });

  it('inside of subgraphs, whose values come from around them', () => {
    const branch = (outputs: string, factor: string): Attribute =>
      graphAttribute({ ...EMPTY_GRAPH, nodes: [node('Mul', ['a', factor], [outputs])], outputs: [{ name: outputs }] });
    const choose = functionOf(
      'Choose',
      ['a'],
      ['b'],
      [
        node('ReduceMax', ['a'], ['most'], { attributes: { axes: ints([0]), keepdims: int(0) } }),
        node('Cast', ['most'], ['condition'], { attributes: { to: int(9) } }),
        node('Neg', ['a'], ['minus']),
        node('If', ['condition'], ['b'], {
          attributes: { then_branch: branch('t', 'minus'), else_branch: branch('e', 'a') },
        }),
      ],
    );
    expect(both(modelOf([call('Choose', ['x'], ['y'])], [choose]))).toEqual({ y: [-4, -1, -16] });
  });

  it('without an input that the call leaves out, in subgraphs as well', () => {
    const clip = (output: string, inputs: readonly string[]): Attribute =>
      graphAttribute({ ...EMPTY_GRAPH, nodes: [node('Clip', inputs, [output])], outputs: [{ name: output }] });
    const within = functionOf(
      'Within',
      ['a', 'least', 'most'],
      ['b'],
      [
        node('ReduceMax', ['a'], ['largest'], { attributes: { axes: ints([0]), keepdims: int(0) } }),
        node('Cast', ['largest'], ['condition'], { attributes: { to: int(9) } }),
        node('If', ['condition'], ['b'], {
          attributes: { then_branch: clip('t', ['a', 'least', 'most']), else_branch: clip('e', ['a', 'least']) },
        }),
      ],
    );
    const most = node('ReduceMean', ['x'], ['m'], { attributes: { keepdims: int(0) } });
    const model = modelOf([most, call('Within', ['x', '', 'm'], ['y'])], [within]);
    expect(both(model)).toEqual({ y: [-2, 1, 1] });
  });

  it('that give what they got, or one value twice', () => {
    const same = functionOf('Same', ['a'], ['a', 'b', 'b'], [node('Neg', ['a'], ['b'])]);
    expect(both(modelOf([call('Same', ['x'], ['y', 'z', 'w'])], [same]))).toEqual({
      y: [-2, 1, 4],
      z: [2, -1, -4],
      w: [2, -1, -4],
    });
  });

  it('of an older operator set than the model, and of a newer one', () => {
    const total = functionOf(
      'Total',
      ['a'],
      ['b'],
      [node('ReduceSum', ['a'], ['b'], { attributes: { axes: ints([0]), keepdims: int(0) } })],
      { opsets: [{ domain: '', version: 11 }] },
    );
    expect(both(modelOf([call('Total', ['x'], ['y'])], [total]))).toEqual({ y: [3] });
    const newer = modelOf(
      [node('Softmax', ['x'], ['s'], { attributes: { axis: int(0) } }), call('Leaky', ['s'], ['y'])],
      [leaky],
      11,
    );
    expect(inlineFunctions(newer).model.opsets[0]).toEqual({ domain: '', version: 17 });
    both(newer);
  });
});

it('leaves a model without functions as it is', () => {
  const model = modelOf([node('Neg', ['x'], ['y'])], []);
  expect(inlineFunctions(model)).toEqual({ model, changed: false });
});

it('refuses functions that call themselves, and two versions of a domain', () => {
  const endless = functionOf('Endless', ['a'], ['b'], [call('Endless', ['a'], ['b'])]);
  expect(() => inlineFunctions(modelOf([call('Endless', ['x'], ['y'])], [endless]))).toThrow(
    /own\.Endless "Endless_y.*more than 64 functions deep/,
  );
  const early = functionOf('Early', ['a'], ['b'], [node('Neg', ['a'], ['b'])], {
    opsets: [{ domain: '', version: 18 }],
  });
  expect(() => inlineFunctions(modelOf([call('Early', ['x'], ['y'])], [early], 23))).toThrow(
    'the model and its functions import operator sets 23, 18: expected one, or at most 21',
  );
  const other = functionOf('Other', ['a'], ['b'], [node('Gelu', ['a'], ['b'], { domain: 'com.microsoft' })], {
    opsets: [{ domain: 'com.microsoft', version: 2 }],
  });
  const model = modelOf([call('Other', ['x'], ['y'])], [other]);
  const opsets = [...model.opsets, { domain: 'com.microsoft', version: 1 }];
  expect(() => inlineFunctions({ ...model, opsets })).toThrow(
    'function "Other" imports "com.microsoft" 2, the model 1',
  );
});
