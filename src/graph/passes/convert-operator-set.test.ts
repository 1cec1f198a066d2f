import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { numbersOf, type Tensor, tensorFrom } from '../../base/tensor.ts';
import { float, graphAttribute, int, ints, string } from '../attributes.ts';
import { tensorInfo } from '../builder.ts';
import { evaluate } from '../evaluate.ts';
import { type Attribute, EMPTY_GRAPH, type FunctionDefinition, type Model, type Node, type Shape } from '../ir.ts';
import { stored, tensorOf } from '../stored.ts';
import { convertOperatorSet } from './convert-operator-set.ts';
import { ENDED, HISTORIES } from './operator-versions/histories.ts';

test('the tables have every version of every operator up to operator set 21', () => {
  const file = join(import.meta.dirname, 'fixtures/operator-versions.json');
  const expected = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number[]>;
  const actual = Object.fromEntries(
    Object.entries(HISTORIES).map(([name, history]) => [name, Object.keys(history).map(Number)]),
  );
  // Two are operators of ONNX Runtime, of which one came into the standard.
  expect({ ...actual, LayerNormalization: [17] }).toEqual({ ...expected, SimplifiedLayerNormalization: [1] });
  for (const [name, version] of Object.entries(ENDED)) expect(expected[name]!.at(-1)).toBe(version);
});

function node(
  opType: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  outputs: readonly string[] = ['y'],
): Node {
  return { opType, domain: '', name: 'here', inputs, outputs, attributes: new Map(Object.entries(attributes)) };
}

interface Rest extends Partial<Omit<Model, 'graph'>> {
  readonly inputs?: Readonly<Record<string, Shape>>;
  readonly initializers?: Readonly<Record<string, Tensor>>;
}

/** A model whose outputs are those of its last node. */
function modelOf(
  version: number,
  nodes: readonly Node[],
  { inputs = {}, initializers = {}, ...rest }: Rest = {},
): Model {
  return {
    irVersion: 4,
    opsets: [{ domain: '', version }],
    functions: [],
    trainingInfo: [],
    graph: {
      ...EMPTY_GRAPH,
      nodes,
      inputs: Object.entries(inputs).map(([name, shape]) => tensorInfo(name, { dtype: 'float32', shape })),
      initializers: new Map(Object.entries(initializers).map(([name, value]) => [name, stored(value)] as const)),
      outputs: nodes
        .at(-1)!
        .outputs.filter((name) => name !== '')
        .map((name) => ({ name })),
    },
    ...rest,
  };
}

const float32 = (values: readonly number[], dims: readonly number[] = [values.length]): Tensor =>
  tensorFrom('float32', values, dims);

function run(model: Model, feeds: Readonly<Record<string, Tensor>> = {}): Record<string, number[]> {
  const results = evaluate(convertOperatorSet(model).model, feeds);
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, numbersOf(value)]));
}

describe('what is raised', () => {
  it('leaves a model of that set, or a newer one, as it is', () => {
    for (const version of [17, 19]) {
      const model = modelOf(version, [node('Relu', ['x'])], { inputs: { x: [2] } });
      expect(convertOperatorSet(model)).toEqual({ model, changed: false });
    }
  });

  it('raises the format to what the set needs', () => {
    const model = modelOf(9, [node('Relu', ['x'])], { inputs: { x: [2] } });
    const formats = [13, 17, 19, 21].map((to) => convertOperatorSet(model, { to }).model.irVersion);
    expect(formats).toEqual([8, 8, 9, 10]);
  });

  it('does not leave weights as inputs, which they had to be before IR version 4', () => {
    const weights = { w: float32([1, 2]) };
    const nodes = [node('Add', ['x', 'w'])];
    const inputs = { x: [2], w: [2] };
    const names = (irVersion: number): string[] => {
      const model = modelOf(9, nodes, { irVersion, inputs, initializers: weights });
      return convertOperatorSet(model).model.graph.inputs.map(({ name }) => name);
    };
    expect(names(3)).toEqual(['x']);
    expect(names(4)).toEqual(['x', 'w']);
  });

  it('keeps the names of values and nodes', () => {
    const model = modelOf(9, [node('Softmax', ['x'], { axis: int(1) })], { inputs: { x: [2, 3, 4] } });
    const { graph } = convertOperatorSet(model).model;
    expect(graph.outputs).toEqual(model.graph.outputs);
    expect(graph.nodes.map(({ opType, name }) => [opType, name])).toEqual([
      ['Flatten', ''],
      ['Softmax', 'here'],
      ['Shape', ''],
      ['Reshape', ''],
    ]);
    expect(graph.nodes.at(-1)!.outputs).toEqual(['y']);
  });

  it('writes one Softmax where only one axis is longer than one', () => {
    for (const [axis, shape] of [
      [1, [2, 3]],
      [1, [2, 3, 1, 1]],
      [-1, [2, 3, 4]],
      [3, [2, 3, 1, 5]],
    ] as const) {
      const model = modelOf(11, [node('Softmax', ['x'], { axis: int(axis) })], { inputs: { x: shape } });
      const { nodes } = convertOperatorSet(model).model.graph;
      expect(nodes.map(({ opType }) => opType)).toEqual(['Softmax']);
    }
  });

  it('keeps shapes without elements', () => {
    const model = modelOf(9, [node('Softmax', ['x'], { axis: int(1) })], { inputs: { x: ['n', 4, 'm'] } });
    const results = evaluate(convertOperatorSet(model).model, { x: float32([], [3, 4, 0]) });
    expect(results.y!.dims).toEqual([3, 4, 0]);
  });

  it('raises subgraphs inside subgraphs, and lets them use constants of the main graph', () => {
    const inner = {
      ...EMPTY_GRAPH,
      nodes: [node('Clip', ['x'], { min: float(0), max: float(1) }, ['inner'])],
      outputs: [{ name: 'inner' }],
    };
    const always = {
      ...EMPTY_GRAPH,
      nodes: [
        node('If', ['yes'], { then_branch: graphAttribute(inner), else_branch: graphAttribute(inner) }, ['outer']),
      ],
      outputs: [{ name: 'outer' }],
    };
    const model = modelOf(
      9,
      [node('If', ['yes'], { then_branch: graphAttribute(always), else_branch: graphAttribute(always) })],
      {
        inputs: { x: [3] },
        initializers: { yes: tensorFrom('bool', [1], []) },
      },
    );
    expect(run(model, { x: float32([-1, 0.5, 2]) })).toEqual({ y: [0, 0.5, 1] });
  });

  it('raises functions by their own operator set, with their constants inside', () => {
    const double: FunctionDefinition = {
      name: 'Double',
      domain: 'own',
      inputs: ['a'],
      outputs: ['b'],
      attributes: [],
      attributeDefaults: new Map(),
      nodes: [
        node('Unsqueeze', ['a'], { axes: ints([0]) }, ['c']),
        node('ReduceSum', ['c'], { axes: ints([1]), keepdims: int(0) }, ['b']),
      ],
      opsets: [{ domain: '', version: 11 }],
      valueInfo: [],
    };
    const call = { ...node('Double', ['x']), domain: 'own' };
    const opsets = [
      { domain: '', version: 17 },
      { domain: 'own', version: 1 },
    ];
    const model = modelOf(17, [call], { opsets, irVersion: 8, functions: [double], inputs: { x: [3] } });
    const raised = convertOperatorSet(model).model;
    expect(raised.functions[0]!.opsets).toEqual([{ domain: '', version: 17 }]);
    expect(raised.functions[0]!.nodes.map(({ opType }) => opType)).toEqual([
      'Constant',
      'Constant',
      'Unsqueeze',
      'ReduceSum',
    ]);
    expect(run(model, { x: float32([1, 2, 4]) })).toEqual({ y: [7] });
  });
});

it.each([
  { axis: undefined, written: 1 },
  { axis: 2, written: 2 },
])('writes the axis of a Fourier transform, $axis, as an input', ({ axis, written }) => {
  const transform = node('DFT', ['x'], axis === undefined ? {} : { axis: int(axis) });
  const { graph } = convertOperatorSet(modelOf(17, [transform], { inputs: { x: [1, 4, 4, 1] } }), { to: 20 }).model;
  const [raised] = graph.nodes;
  expect([...raised!.attributes.keys()]).toEqual([]);
  expect(raised!.inputs.slice(0, 2)).toEqual(['x', '']);
  expect(numbersOf(tensorOf(graph.initializers.get(raised!.inputs[2]!)!))).toEqual([written]);
});

describe('operator sets before 7', () => {
  it('broadcasts along the axis that was given', () => {
    const model = modelOf(6, [node('Add', ['x', 'b'], { broadcast: int(1), axis: int(0) })], {
      inputs: { x: [2, 3] },
      initializers: { b: float32([10, 20]) },
    });
    expect(run(model, { x: float32([1, 2, 3, 4, 5, 6], [2, 3]) })).toEqual({ y: [11, 12, 13, 24, 25, 26] });
  });

  it('takes slopes of PRelu by channel', () => {
    const model = modelOf(6, [node('PRelu', ['x', 's'])], {
      inputs: { x: [1, 2, 2] },
      initializers: { s: float32([10, 100]) },
    });
    expect(run(model, { x: float32([-1, 1, -2, -3], [1, 2, 2]) })).toEqual({ y: [-10, 1, -200, -300] });
  });

  it('makes inputs of the shape of Reshape and of the tiles of Tile, and numbers of types', () => {
    const nodes = [
      node('Reshape', ['x'], { shape: ints([2, 2]), consumed_inputs: ints([0]) }, ['a']),
      node('Tile', ['a', 'tiles', 'axis'], {}, ['b']),
      node('Cast', ['b'], { to: string('INT64') }),
    ];
    const initializers = { tiles: tensorFrom('float32', 2, []), axis: tensorFrom('float32', 1, []) };
    const model = modelOf(1, nodes, { inputs: { x: [4] }, initializers });
    expect(run(model, { x: float32([1, 2, 3, 4.5]) })).toEqual({ y: [1, 2, 1, 2, 3, 4, 3, 4] });
    const cast = convertOperatorSet(model).model.graph.nodes.at(-1)!;
    expect(cast.attributes.get('to')).toEqual(int(7));
  });

  it('keeps the defaults of then: axis 1 of Concat, the constants of Selu', () => {
    const concat = modelOf(3, [node('Concat', ['x', 'x'])], { inputs: { x: [2, 1] } });
    expect(run(concat, { x: float32([1, 2], [2, 1]) })).toEqual({ y: [1, 1, 2, 2] });
    const selu = modelOf(1, [node('Selu', ['x'])], { inputs: { x: [1] } });
    expect(run(selu, { x: float32([1]) }).y![0]).toBe(Math.fround(1.0507));
  });

  it('scales the height and width of images', () => {
    const upsample = node('Upsample', ['x'], { height_scale: float(2), width_scale: float(1) });
    const model = modelOf(6, [upsample], { inputs: { x: [1, 1, 1, 2] } });
    expect(run(model, { x: float32([1, 2], [1, 1, 1, 2]) })).toEqual({ y: [1, 2, 1, 2] });
  });

  it('interpolates images linearly by the name of then', () => {
    const scales = { height_scale: float(1), width_scale: float(2) };
    const upsample = node('Upsample', ['x'], { ...scales, mode: string('bilinear') });
    const model = modelOf(6, [upsample], { inputs: { x: [1, 1, 1, 2] } });
    expect(run(model, { x: float32([1, 2], [1, 1, 1, 2]) })).toEqual({ y: [1, 1.5, 2, 2] });
    expect(convertOperatorSet(model).model.graph.nodes[0]!.attributes.get('mode')).toEqual(string('linear'));
  });
});

it('lets a BatchNormalization that gives statistics train, as it did', () => {
  const normalization = node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], { momentum: float(0.75) }, [
    'y',
    'm2',
    'v2',
    'sm',
  ]);
  const model = modelOf(9, [normalization], {
    inputs: { x: [2, 1] },
    initializers: { s: float32([1]), b: float32([0]), m: float32([4]), v: float32([8]) },
  });
  const outputs = ['y', 'm2', 'v2'].map((name) => ({ name }));
  const { y, m2, v2 } = run({ ...model, graph: { ...model.graph, outputs } }, { x: float32([1, 5], [2, 1]) });
  // The batch has mean 3 and variance 4: 0.75 · 4 + 0.25 · 3, and 0.75 · 8 + 0.25 · 4.
  expect([m2, v2]).toEqual([[3.75], [7]]);
  expect(y![1]).toBeCloseTo(1, 5);
});

it('gives the mask of Dropout the type it had', () => {
  const nodes = [node('Dropout', ['x'], { ratio: float(0.5) }, ['y', 'mask'])];
  const model = modelOf(7, nodes, { inputs: { x: [2] } });
  const results = evaluate(convertOperatorSet(model).model, { x: float32([3, 4]) });
  expect([results.mask!.dtype, numbersOf(results.mask!), numbersOf(results.y!)]).toEqual(['float32', [1, 1], [3, 4]]);
});

describe('refusals name the node, its operator and the operator sets', () => {
  const from =
    (version: number, one: Node, rest: Rest = { inputs: { x: [2, 3, 4] } }) =>
    () =>
      convertOperatorSet(modelOf(version, [one], rest));

  it.each<[string, () => unknown, string]>([
    [
      'an operator that is not known',
      from(9, node('Crop', ['x'])),
      'Crop "here" cannot be raised from operator set 9 to 17: no such operator is known',
    ],
    [
      'an operator that came later',
      from(9, node('Gelu', ['x'])),
      'Gelu "here" cannot be raised from operator set 9 to 17: Gelu came with operator set 20',
    ],
    [
      'an operator that had ended',
      from(11, node('Upsample', ['x', 's'])),
      'Upsample "here" cannot be raised from operator set 11 to 17: Upsample ended with operator set 10',
    ],
    [
      'a Scan over batches',
      from(8, node('Scan', ['', 'x'], { num_scan_inputs: int(1), body: graphAttribute(EMPTY_GRAPH) }, [])),
      'Scan "here" cannot be raised from operator set 8 to 17: a scan over batches, which has no form any more',
    ],
    ['a node that trains', from(6, node('Dropout', ['x'])), 'is_test 0, which trains'],
    [
      'the statistics of a batch',
      from(9, node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], {}, ['y', '', '', 'saved', ''])),
      'saved_mean or saved_var, which are no outputs any more',
    ],
    [
      'broadcasting of unknown rank',
      from(6, node('Add', ['x', 'z'], { broadcast: int(1), axis: int(0) })),
      'broadcasting along an axis of inputs of unknown rank',
    ],
    [
      'places that are moved and not rounded down',
      from(
        11,
        node('Resize', ['x', 'roi', 'scales'], {
          nearest_mode: string('ceil'),
          coordinate_transformation_mode: string('tf_half_pixel_for_nn'),
        }),
      ),
      'tf_half_pixel_for_nn with nearest_mode "ceil"',
    ],
    ['sizes of Split as an input', from(1, node('Split', ['x', 'sizes'])), 'the sizes as an input'],
    [
      'a sequence that was none',
      from(6, node('LSTM', ['x', 'w', 'r'])),
      'the sequence as an output with output_sequence 0',
    ],
  ])('%s', (_, work, message) => {
    expect(work).toThrow(message);
    expect(work).toThrow(/^\w+ "here" cannot be raised from operator set \d+ to 17: /);
  });

  it('an attribute of a function in an operator that changed', () => {
    const axes: Attribute = { kind: 'reference', value: 'axes', type: 7 };
    const definition: FunctionDefinition = {
      name: 'Total',
      domain: 'own',
      inputs: ['a'],
      outputs: ['b'],
      attributes: ['axes'],
      attributeDefaults: new Map(),
      nodes: [node('ReduceSum', ['a'], { axes }, ['b'])],
      opsets: [{ domain: '', version: 12 }],
      valueInfo: [],
    };
    const model = modelOf(12, [{ ...node('Total', ['x'], { axes: ints([0]) }), domain: 'own' }], {
      functions: [definition],
      inputs: { x: [2] },
    });
    expect(() => convertOperatorSet(model)).toThrow(
      'ReduceSum "here" in function "Total" cannot be raised from operator set 12 to 17: an attribute of the function, where ReduceSum changed in 13',
    );
  });

  it('training graphs, and operator sets out of range', () => {
    const model = modelOf(9, [node('Relu', ['x'])], { inputs: { x: [2] } });
    const info = { initializationBinding: [], updateBinding: [] };
    expect(() => convertOperatorSet({ ...model, trainingInfo: [info] })).toThrow('training_info');
    for (const to of [12, 22, 16.5]) {
      expect(() => convertOperatorSet(model, { to })).toThrow(`operator set ${to}: expected one from 13 to 21`);
    }
  });
});
