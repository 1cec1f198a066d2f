import { describe, expect, test } from 'vitest';
import { tensorFrom, zeros } from '../base/index.ts';
import { graphAttribute, int, ints } from './attributes.ts';
import { GraphBuilder, tensorInfo, type Value } from './builder.ts';
import { inferShapes, inferTypes } from './infer.ts';
import type { Dimension, FunctionDefinition, Graph, Model, Node, ValueInfo } from './ir.ts';
import { formatType } from './value-types.ts';

function typeOf(model: Model, name: string): string {
  const value = inferTypes(model).get(name);
  return value === undefined ? 'nothing' : formatType(value.type);
}

describe('symbolic dimensions', () => {
  test('go through a transformer block as exporters write it', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['batch', 'sequence', 384]);
    const shape = graph.shape(x);
    const batch = graph.unsqueeze(graph.gather(shape, graph.scalar(0, 'int64')), [0]);
    const sequence = graph.unsqueeze(graph.gather(shape, graph.scalar(1, 'int64')), [0]);
    const heads = graph.concat([batch, sequence, graph.int64s([12]), graph.int64s([32])], 0);
    const weight = graph.initializer('weight', zeros('float32', [384, 384]));
    const query = graph.transpose(graph.reshape(graph.matMul(x, weight), heads), [0, 2, 1, 3]);
    const key = graph.transpose(graph.reshape(graph.matMul(x, weight), heads), [0, 2, 3, 1]);
    const scores = graph.softmax(graph.matMul(query, key));
    const mixed = graph.transpose(graph.matMul(scores, query), [0, 2, 1, 3]);
    const joined = graph.reshape(mixed, graph.concat([batch, sequence, graph.int64s([-1])], 0));
    graph.output(joined);
    const model = graph.build();
    expect(typeOf(model, scores)).toBe('float32[batch, 12, sequence, sequence]');
    expect(typeOf(model, mixed)).toBe('float32[batch, sequence, 12, 32]');
    expect(typeOf(model, joined)).toBe('float32[batch, sequence, 384]');
    expect(inferTypes(model).get(heads)?.elements).toEqual(['batch', 'sequence', 12, 32]);
  });

  test('join where a cache grows', () => {
    const graph = new GraphBuilder();
    const past = graph.input('past', 'float32', ['batch', 4, 'past', 8]);
    const now = graph.input('now', 'float32', ['batch', 4, 'sequence', 8]);
    const keys = graph.concat([past, now], 2);
    const scores = graph.matMul(now, graph.transpose(keys, [0, 1, 3, 2]));
    const mask = graph.initializer('mask', zeros('float32', [1, 1, 64, 64]));
    const total = graph.op('Shape', [keys], { start: int(2), end: int(3) });
    const from = graph.op('Shape', [past], { start: int(2), end: int(3) });
    const rows = graph.op('Slice', [mask, from, total, graph.int64s([2])]);
    const square = graph.op('Slice', [rows, graph.int64s([0]), total, graph.int64s([3])]);
    const masked = graph.add(scores, square);
    graph.output(masked);
    expect(typeOf(graph.build(), masked)).toBe('float32[batch, 4, sequence, past + sequence]');
  });
});

describe('a contradiction', () => {
  test('names the node and both shapes', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['batch', 8]);
    const weight = graph.initializer('weight', zeros('float32', [9, 4]));
    graph.output(graph.node('MatMul', [x, weight], { name: 'proj' })[0]!);
    expect(() => inferTypes(graph.build())).toThrow('MatMul "proj": inner dimensions differ: [batch, 8] and [9, 4]');
  });

  test('with a declared type names the value', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['batch', 8]);
    graph.output(graph.op('Relu', [x], {}, 'y'), { dtype: 'float32', shape: ['batch', 9] });
    expect(() => inferTypes(graph.build())).toThrow(
      'Relu (of "y"): value "y" is declared as float32[batch, 9], got float32[batch, 8]',
    );
  });

  test('with an element type', () => {
    const graph = new GraphBuilder();
    graph.output(graph.op('Shape', [graph.input('x', 'float32', [1])], {}, 'y'), { dtype: 'int32', shape: [1] });
    expect(() => inferTypes(graph.build())).toThrow('value "y" is declared as int32[1], got int64[1]');
  });
});

describe('what the model declares', () => {
  const graph = new GraphBuilder();
  const x = graph.input('x', 'float32', ['batch', 3, 224, 224]);
  const rois = graph.input('rois', 'float32', ['regions', 5]);
  const features = graph.node('MaxRoiPool', [x, rois])[0]!;
  const active = graph.op('Relu', [features]);
  graph.output(active, { dtype: 'float32', shape: ['N', 'C', null, 222] }, 'y');
  const model = graph.build();

  test('stands for operators without a rule', () => {
    expect(typeOf(model, features)).toBe('nothing');
    expect(typeOf(model, 'y')).toBe('float32[N, C, ?, 222]');
    const declared = [tensorInfo(features, { dtype: 'float32', shape: ['batch', 8, 222, null] })];
    const helped: Model = { ...model, graph: { ...model.graph, valueInfo: declared } };
    expect(typeOf(helped, active)).toBe('float32[batch, 8, 222, ?]');
    expect(typeOf(helped, 'y')).toBe('float32[batch, 8, 222, 222]');
  });

  test('of an input gives way to the type that a caller gives', () => {
    const given = { x: { dtype: 'float32', shape: [2, 3, 224, 224] } } as const;
    expect(inferTypes(model, { inputs: given }).get('x')?.type).toEqual({ kind: 'tensor', ...given.x });
    expect(() => inferTypes(model, { inputs: { z: given.x } })).toThrow(
      /"z" is no input of the graph\n {2}Its inputs are "x"/,
    );
  });
});

describe('the pass', () => {
  test('writes types in between and makes outputs exact; the model given stays as it was', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['batch', 8]);
    const hidden = graph.op('Relu', [x]);
    graph.output(graph.op('Flatten', [hidden], {}, 'y'), { dtype: 'float32', shape: ['rows', null] });
    const model = graph.build();
    const { model: inferred, changed } = inferShapes(model);
    expect(changed).toBe(true);
    expect(inferred.graph.valueInfo).toEqual([tensorInfo(hidden, { dtype: 'float32', shape: ['batch', 8] })]);
    expect(inferred.graph.outputs).toEqual([tensorInfo('y', { dtype: 'float32', shape: ['batch', 8] })]);
    expect(inferred.graph.nodes).toBe(model.graph.nodes);
    expect(model.graph.valueInfo).toEqual([]);
    expect(inferShapes(inferred)).toEqual({ model: inferred, changed: false });
  });
});

test('dimensions of -1 are unknown, and denotations stay', () => {
  const graph = new GraphBuilder();
  const x = graph.input('x', 'float32', [-1, 8]);
  graph.output(graph.op('Relu', [x], {}, 'y'));
  const model = graph.build();
  const y: ValueInfo = {
    name: 'y',
    type: { kind: 'tensor', dtype: 'float32', shape: [-1, -1], dimensionDenotations: ['DATA_BATCH', ''] },
  };
  const { outputs } = inferShapes({ ...model, graph: { ...model.graph, outputs: [y] } }).model.graph;
  expect(outputs).toEqual([{ name: 'y', type: { ...y.type, shape: [null, 8] } }]);
});

/** The elements that a graph over `x` float32[batch, sequence, 12, 32] computes. */
function elementsOf(
  build: (graph: GraphBuilder, shape: Value, x: Value) => Value,
  opset = 17,
): readonly Dimension[] | undefined {
  const graph = new GraphBuilder({ opset });
  const x = graph.input('x', 'float32', ['batch', 'sequence', 12, 32]);
  const value = build(graph, graph.shape(x), x);
  graph.output(value);
  return inferTypes(graph.build()).get(value)?.elements;
}

describe('values of shapes are followed through', () => {
  const rows: readonly [string, readonly Dimension[], (graph: GraphBuilder, shape: Value, x: Value) => Value][] = [
    ['Shape', ['batch', 'sequence', 12, 32], (_, shape) => shape],
    [
      'Shape from start to end',
      ['sequence', 12],
      (graph, _, x) => graph.op('Shape', [x], { start: int(1), end: int(-1) }),
    ],
    ['Size', ['batch*sequence*384'], (graph, _, x) => graph.op('Size', [x])],
    ['Gather', ['sequence', 32], (graph, shape) => graph.gather(shape, graph.int64s([1, -1]))],
    ['Slice', [12, 32], (graph, shape) => graph.slice(shape, [-2], [2 ** 40], [0])],
    ['Slice backwards', [32, 'sequence'], (graph, shape) => graph.slice(shape, [-1], [-5], [0], [-2])],
    ['Concat', ['batch', 'sequence', 12, 32, -1], (graph, shape) => graph.concat([shape, graph.int64s([-1])], 0)],
    ['Split', [12, 32], (graph, shape) => graph.split(shape, [2, 2], 0)[1]!],
    ['Squeeze', ['batch'], (graph, shape) => graph.squeeze(graph.slice(shape, [0], [1], [0]), [0])],
    ['Unsqueeze', [12], (graph, shape) => graph.unsqueeze(graph.gather(shape, graph.scalar(2, 'int64')), [0])],
    ['Cast', ['batch', 'sequence', 12, 32], (graph, shape) => graph.cast(graph.cast(shape, 6), 7)],
    ['Identity', ['batch', 'sequence', 12, 32], (graph, shape) => graph.identity(shape)],
    ['Add', ['batch + 1', 'sequence + 1', 13, 33], (graph, shape) => graph.add(shape, graph.scalar(1, 'int64'))],
    ['Sub', ['batch - 2', 'sequence - 2', 10, 30], (graph, shape) => graph.sub(shape, graph.scalar(2, 'int64'))],
    ['Mul', ['batch*batch', 'sequence*sequence', 144, 1024], (graph, shape) => graph.mul(shape, shape)],
    [
      'Div',
      ['floor(batch/8)', 'floor(sequence/8)', 1, 4],
      (graph, shape) => graph.div(shape, graph.scalar(8, 'int64')),
    ],
    [
      'Mod',
      ['mod(batch, 5)', 'mod(sequence, 5)', 2, 2],
      (graph, shape) => graph.op('Mod', [shape, graph.scalar(5, 'int64')]),
    ],
    ['Neg', ['-batch', '-sequence', -12, -32], (graph, shape) => graph.neg(shape)],
    [
      'Min',
      ['min(batch, 16)', 'min(sequence, 16)', 12, 16],
      (graph, shape) => graph.op('Min', [shape, graph.scalar(16, 'int64')]),
    ],
    [
      'Max',
      ['max(batch, 16)', 'max(sequence, 16)', 16, 32],
      (graph, shape) => graph.op('Max', [shape, graph.scalar(16, 'int64')]),
    ],
    ['ReduceProd', ['batch*sequence*384'], (graph, shape) => graph.reduceProd(shape, [0], false)],
    ['ReduceSum', ['batch + sequence + 44'], (graph, shape) => graph.reduceSum(shape, [0])],
    ['Equal', [null, null, 1, 0], (graph, shape) => graph.equal(shape, graph.scalar(12, 'int64'))],
    ['Less', [0, 0, 0, 0], (graph, shape) => graph.less(shape, graph.scalar(0, 'int64'))],
    [
      'Where',
      ['batch', 'sequence', 1, 32],
      (graph, shape) =>
        graph.where(
          graph.equal(graph.int64s([-1, -1, 12, -1]), graph.int64s([12, 12, 12, 12])),
          graph.int64s([1, 1, 1, 1]),
          shape,
        ),
    ],
    [
      'ConstantOfShape',
      [0, 0],
      (graph) =>
        graph.op('ConstantOfShape', [graph.int64s([2])], {
          value: {
            kind: 'tensor',
            value: { dtype: 'int64', dims: [1], content: { kind: 'bytes', bytes: new Uint8Array(8) } },
          },
        }),
    ],
    [
      'Range',
      [3, 5, 7],
      (graph) => graph.op('Range', [graph.scalar(3, 'int64'), graph.scalar(9, 'int64'), graph.scalar(2, 'int64')]),
    ],
    [
      'Expand',
      ['batch', 'batch'],
      (graph, shape) => graph.expand(graph.slice(shape, [0], [1], [0]), graph.int64s([2])),
    ],
    [
      'Tile',
      [12, 32, 12, 32],
      (graph, shape) => graph.op('Tile', [graph.slice(shape, [2], [4], [0]), graph.int64s([2])]),
    ],
    [
      'Transpose',
      ['batch', 12, 'sequence', 32],
      (graph, shape) =>
        graph.reshape(graph.transpose(graph.reshape(shape, graph.int64s([2, 2])), [1, 0]), graph.int64s([-1])),
    ],
    ['NonZero', [0, 2], (graph) => graph.op('NonZero', [graph.int64s([5, 0, 7])])],
    [
      'an element beyond 2^53',
      [2 ** 63],
      (graph) =>
        graph.node('Constant', [], { attributes: { value_ints: { kind: 'ints', value: [2n ** 63n - 1n] } } })[0]!,
    ],
    [
      'no arithmetic on one',
      [null],
      (graph) =>
        graph.add(
          graph.node('Constant', [], { attributes: { value_ints: { kind: 'ints', value: [2n ** 63n - 1n] } } })[0]!,
          graph.int64s([1]),
        ),
    ],
    [
      'no int32 beyond its range',
      [null],
      (graph) =>
        graph.mul(graph.constant(tensorFrom('int32', 2 ** 20)), graph.constant(tensorFrom('int32', [2 ** 20]))),
    ],
  ];

  test.each(rows)('%s', (_, expected, build) => expect(elementsOf(build)).toEqual(expected));

  test('lengths computed in floats', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['time', 13]);
    const [time, width] = graph.split(graph.cast(graph.shape(x), 1), [1, 1], 0);
    const half = graph.op('Floor', [graph.div(width!, graph.scalar(2, 'float32'))]);
    const positions = graph.op('Range', [
      graph.scalar(0, 'float32'),
      graph.squeeze(time!, [0]),
      graph.scalar(1, 'float32'),
    ]);
    const y = graph.op('ConstantOfShape', [graph.concat([graph.cast(half, 7), graph.shape(positions)], 0)]);
    graph.output(y);
    const types = inferTypes(graph.build());
    expect(types.get(half)?.elements).toEqual([6]);
    expect(types.get(y)?.type).toEqual({ kind: 'tensor', dtype: 'float32', shape: [6, 'time'] });
    const third = graph.div(time!, graph.scalar(3, 'float32'));
    expect(inferTypes(graph.build()).get(third)?.elements).toEqual([null]);
  });

  test('a length that may be below zero', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['time']);
    const rest = graph.sub(graph.op('Size', [x]), graph.scalar(3, 'int64'));
    const y = graph.op('Range', [graph.scalar(0, 'int64'), rest, graph.scalar(1, 'int64')]);
    graph.output(y);
    expect(typeOf(graph.build(), y)).toBe('int64[max(time - 3, 0)]');
  });

  test('the pattern by which exporters expand -1', () => {
    const graph = new GraphBuilder();
    const ids = graph.input('ids', 'int64', ['batch', 'sequence']);
    const target = graph.concat([graph.shape(ids), graph.int64s([-1])], 0);
    const ones = graph.int64s([1, 1, 1]);
    const shape = graph.where(graph.equal(target, graph.mul(ones, graph.scalar(-1, 'int64'))), ones, target);
    const y = graph.expand(graph.initializer('row', zeros('float32', [1, 1, 7])), shape);
    graph.output(y);
    expect(typeOf(graph.build(), y)).toBe('float32[batch, sequence, 7]');
  });

  test('large values are not followed', () => {
    expect(elementsOf((graph) => graph.initializer('many', zeros('int64', [1025])))).toBeUndefined();
    expect(elementsOf((graph) => graph.expand(graph.int64s([1]), graph.int64s([1025])))).toBeUndefined();
    expect(elementsOf((graph) => graph.initializer('few', zeros('int64', [1024])))).toHaveLength(1024);
  });

  test('the bytes of weights are not read', () => {
    const graph = new GraphBuilder();
    const w = graph.initializer('w', zeros('float32', [4, 4]));
    graph.output(graph.matMul(graph.input('x', 'float32', ['batch', 4]), w));
    const model = graph.build();
    const guarded = {
      dtype: 'float32',
      dims: [4, 4],
      content: {
        kind: 'bytes',
        get bytes(): Uint8Array {
          throw new Error('read');
        },
      },
    } as const;
    expect(typeOf({ ...model, graph: { ...model.graph, initializers: new Map([['w', guarded]]) } }, 'matmul')).toBe(
      'float32[batch, 4]',
    );
  });

  test('an initializer that a caller may replace is no constant, except in files older than IR version 4', () => {
    const graph = new GraphBuilder();
    const shape = graph.initializer('shape', tensorFrom('int64', [2, -1]));
    const y = graph.reshape(graph.input('x', 'float32', [4, 'n']), shape);
    graph.output(y);
    const model = graph.build();
    const inputs = [...model.graph.inputs, tensorInfo('shape', { dtype: 'int64', shape: [2] })];
    const replaceable: Model = { ...model, graph: { ...model.graph, inputs } };
    expect(typeOf(model, y)).toBe('float32[2, n*2]');
    expect(typeOf(replaceable, y)).toBe('float32[?, ?]');
    expect(typeOf({ ...replaceable, irVersion: 3 }, y)).toBe('float32[2, n*2]');
  });
});

function graphOf(builder: GraphBuilder, outputs: readonly string[]): Graph {
  return { ...builder.build().graph, outputs: outputs.map((name): ValueInfo => ({ name })) };
}

describe('control flow', () => {
  function branch(build: (graph: GraphBuilder) => Value): Graph {
    const graph = new GraphBuilder();
    return graphOf(graph, [build(graph)]);
  }

  test('If gives what both branches agree on, and sees outer values', () => {
    const graph = new GraphBuilder();
    graph.input('x', 'float32', ['batch', 4]);
    const condition = graph.input('condition', 'bool', []);
    const y = graph.op('If', [condition], {
      then_branch: graphAttribute(branch((inner) => inner.op('Relu', ['x']))),
      else_branch: graphAttribute(branch((inner) => inner.op('Concat', ['x', 'x'], { axis: int(1) }))),
    });
    graph.output(y);
    expect(typeOf(graph.build(), y)).toBe('float32[batch, ?]');
  });

  test('If of a known condition is its branch', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['batch', 1]);
    const size = graph.gather(graph.shape(x), graph.scalar(1, 'int64'));
    const y = graph.op('If', [graph.equal(size, graph.scalar(1, 'int64'))], {
      then_branch: graphAttribute(branch((inner) => inner.op('Squeeze', [x, inner.int64s([1])]))),
      else_branch: graphAttribute(branch((inner) => inner.op('Identity', [x]))),
    });
    graph.output(y);
    expect(typeOf(graph.build(), y)).toBe('float32[batch]');
  });

  function loopOf(
    tripCount: (graph: GraphBuilder) => Value,
    carry: (inner: GraphBuilder, value: Value) => Value,
    goOn?: (inner: GraphBuilder) => Value,
  ) {
    const inner = new GraphBuilder();
    inner.input('iteration', 'int64', []);
    const going = inner.input('going', 'bool', []);
    const value = inner.input('value', 'float32', ['rows', 'columns']);
    const next = carry(inner, value);
    const body = graphOf(inner, [goOn?.(inner) ?? inner.identity(going), next, inner.reduceSum(next, [1], false)]);
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['batch', 4]);
    const outputs = graph.node('Loop', [tripCount(graph), undefined, x], {
      attributes: { body: graphAttribute(body) },
      outputs: 2,
    });
    for (const output of outputs) graph.output(output);
    const model = graph.build();
    return outputs.map((output) => typeOf(model, output));
  }

  test('Loop keeps what the body keeps and stacks what it scans', () => {
    const trips = (graph: GraphBuilder): Value => graph.scalar(3, 'int64');
    expect(loopOf(trips, (inner, value) => inner.op('Relu', [value]))).toEqual([
      'float32[batch, 4]',
      'float32[3, batch]',
    ]);
  });

  test('Loop that may stop early scans an unknown number of times', () => {
    const types = loopOf(
      (graph) => graph.scalar(3, 'int64'),
      (inner, value) => inner.op('Relu', [value]),
      (inner) => inner.op('IsNaN', [inner.scalar(0, 'float32')]),
    );
    expect(types).toEqual(['float32[batch, 4]', 'float32[?, batch]']);
  });

  test('Loop forgets a dimension that grows', () => {
    const trips = (graph: GraphBuilder): Value => graph.gather(graph.shape('x'), graph.scalar(0, 'int64'));
    const types = loopOf(trips, (inner, value) => inner.op('Concat', [value, value], { axis: int(1) }));
    expect(types).toEqual(['float32[batch, ?]', 'float32[batch, batch]']);
  });

  test('Scan takes the axis of its sequences away and puts it back', () => {
    const inner = new GraphBuilder();
    const state = inner.input('state', 'float32', ['rows', 'columns']);
    const step = inner.input('step', 'float32', ['rows', 'columns']);
    const next = inner.add(state, step);
    const body = graphOf(inner, [next, inner.op('Relu', [next])]);
    const graph = new GraphBuilder();
    const start = graph.input('start', 'float32', ['batch', 8]);
    const steps = graph.input('steps', 'float32', ['batch', 'time', 8]);
    const outputs = graph.node('Scan', [start, steps], {
      attributes: {
        body: graphAttribute(body),
        num_scan_inputs: int(1),
        scan_input_axes: ints([1]),
        scan_output_axes: ints([-1]),
      },
      outputs: 2,
    });
    for (const output of outputs) graph.output(output);
    const model = graph.build();
    expect(outputs.map((output) => typeOf(model, output))).toEqual(['float32[batch, 8]', 'float32[batch, 8, time]']);
  });

  test('a body that is missing is named', () => {
    const graph = new GraphBuilder();
    graph.output(graph.node('Loop', [undefined, undefined], { name: 'l' })[0]!);
    expect(() => inferTypes(graph.build())).toThrow('Loop "l": attribute "body" is missing');
  });
});

describe("a model's functions", () => {
  const node = (opType: string, inputs: string[], outputs: string[], rest: Partial<Node> = {}): Node => ({
    opType,
    domain: '',
    name: '',
    inputs,
    outputs,
    attributes: new Map(),
    ...rest,
  });
  const definition: FunctionDefinition = {
    name: 'Project',
    domain: 'custom',
    inputs: ['a', 'w'],
    outputs: ['out'],
    attributes: ['axis'],
    attributeDefaults: new Map(),
    nodes: [
      node('MatMul', ['a', 'w'], ['product']),
      node('ReduceSum', ['product', 'axes'], ['unused']),
      node('Concat', ['product', 'product'], ['out'], {
        attributes: new Map([['axis', { kind: 'reference', value: 'axis', type: 2 } as const]]),
      }),
    ],
    opsets: [{ domain: '', version: 17 }],
    valueInfo: [],
  };

  function call(definitions: readonly FunctionDefinition[]): Model {
    const graph = new GraphBuilder();
    const x = graph.input('x', 'float32', ['batch', 8]);
    const w = graph.initializer('w', zeros('float32', [8, 4]));
    const [y] = graph.node('Project', [x, w], { domain: 'custom', attributes: { axis: int(-1) } });
    graph.output(y!, undefined, 'y');
    return { ...graph.build(), functions: definitions };
  }

  test('are inferred by their bodies, with the attributes of the call', () => {
    expect(typeOf(call([definition]), 'y')).toBe('float32[batch, 8]');
  });

  test('unknown ones leave their values open', () => {
    expect(typeOf(call([]), 'y')).toBe('nothing');
  });

  test('that call themselves are refused', () => {
    const endless = { ...definition, nodes: [node('Project', ['a', 'w'], ['out'], { domain: 'custom' })] };
    expect(() => inferTypes(call([endless]))).toThrow(/subgraphs or functions deep/);
  });
});

test('sequences and optional values pass through', () => {
  const graph = new GraphBuilder();
  const y = graph.identity('s');
  graph.output(y);
  const model = graph.build();
  const type = { kind: 'sequence', element: { kind: 'tensor', dtype: 'float32', shape: ['n'] } } as const;
  expect(typeOf({ ...model, graph: { ...model.graph, inputs: [{ name: 's', type }] } }, y)).toBe(
    'sequence(float32[n])',
  );
});
