import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type DataType, numbersOf, tensor, tensorFrom } from '../base/index.ts';
import { encodeModel, evaluate, GraphBuilder, int, type Model, type Shape, stored, string } from '../graph/index.ts';
import { type GradientOptions, gradient, rule } from './index.ts';

/** mean((x w + c)²), with a batch of any size. */
function squares(): Model {
  const build = new GraphBuilder();
  build.input('x', 'float32', ['batch', 3]);
  build.initializer('w', tensorFrom('float32', [1, 2, 3, 4, 5, 6], [3, 2]));
  build.initializer('c', tensorFrom('float32', [1, 2]));
  const y = build.op('Add', [build.op('MatMul', ['x', 'w'], undefined, 'product'), 'c'], undefined, 'y');
  build.op(
    'ReduceMean',
    [build.op('Mul', [y, y], undefined, 'square')],
    { keepdims: { kind: 'int', value: 0 } },
    'loss',
  );
  build.output('loss');
  build.output('y');
  return build.build();
}

function lines(model: Model): string[] {
  return model.graph.nodes.map(({ opType, inputs, outputs }) => `${outputs.join()} = ${opType}(${inputs.join()})`);
}

function messageOf(model: Model, options: GradientOptions): string {
  try {
    gradient(model, options);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
}

describe('gradient', () => {
  it('adds the gradients as outputs and keeps the forward graph', () => {
    const model = gradient(squares(), { of: 'loss', withRespectTo: ['w', 'c', 'x'] });
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['loss', 'y', 'w_grad', 'c_grad', 'x_grad']);
    const { w_grad, c_grad, x_grad } = evaluate(model, { x: tensorFrom('float32', [1, 2, 3], [1, 3]) });
    expect(numbersOf(w_grad!)).toEqual([23, 30, 46, 60, 69, 90]);
    expect(numbersOf(c_grad!)).toEqual([23, 30]);
    expect(numbersOf(x_grad!)).toEqual([83, 189, 295]);
  });

  it('builds only what was asked for', () => {
    const model = gradient(squares(), { of: 'loss', withRespectTo: ['c'] });
    expect(lines(model).filter((line) => line.includes('Gemm'))).toEqual([]);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['loss', 'y', 'c_grad']);
  });

  it('differentiates by a value in between, and stops there', () => {
    const model = gradient(squares(), { of: 'loss', withRespectTo: ['y', 'loss'] });
    const { y_grad, loss_grad } = evaluate(model, { x: tensorFrom('float32', [1, 2, 3], [1, 3]) });
    expect(numbersOf(y_grad!)).toEqual([23, 30]);
    expect(numbersOf(loss_grad!)).toEqual([1]);
    expect(lines(model).filter((line) => line.includes('Gemm'))).toEqual([]);
  });

  it('names the gradients on the way for their values', () => {
    const model = gradient(squares(), { of: 'loss', withRespectTo: ['w'] });
    const names = model.graph.nodes.flatMap(({ outputs }) => outputs).filter((name) => name.endsWith('/gradient'));
    expect(names).toEqual(['square/gradient', 'y/gradient']);
  });

  it('does not take a value for a constant when its gradient is wanted', () => {
    const build = new GraphBuilder();
    build.input('x', 'float32', [2]);
    build.initializer('exponent', tensorFrom('float32', 2));
    build.output(
      build.op('ReduceSum', [build.op('Pow', ['x', 'exponent'])], { keepdims: { kind: 'int', value: 0 } }, 'loss'),
    );
    const model = gradient(build.build(), { of: 'loss', withRespectTo: ['x', 'exponent'] });
    const initializers = new Map(model.graph.initializers);
    initializers.set('exponent', stored(tensorFrom('float32', 3)));
    const changed = { ...model, graph: { ...model.graph, initializers } };
    expect(numbersOf(evaluate(changed, { x: tensorFrom('float32', [1, 2]) }).x_grad!)).toEqual([3, 12]);
  });

  it('gives out other values of the forward graph where asked, and drops what nothing needs', () => {
    const names = (keep: string[]): string[] =>
      gradient(squares(), { of: 'loss', withRespectTo: ['w'], keep }).graph.outputs.map(({ name }) => name);
    expect(names(['product'])).toEqual(['loss', 'product', 'w_grad']);
    expect(names([])).toEqual(['loss', 'w_grad']);
    const model = gradient(squares(), { of: 'y', withRespectTo: ['c'], keep: [], seed: 'seed' });
    expect(lines(model).filter((line) => line.includes('c_grad ='))).toEqual(['c_grad = MatMul(constantofshape,seed)']);
  });

  it('gives zeros for a value that the loss does not depend on', () => {
    const build = new GraphBuilder();
    build.input('x', 'float32', ['n', 2]);
    build.initializer('unused', tensorFrom('float32', [5, 6]));
    build.output(build.op('Shape', ['x'], undefined, 'dims'));
    build.output(build.op('ReduceSum', ['x'], { keepdims: { kind: 'int', value: 0 } }, 'loss'));
    const model = gradient(build.build(), { of: 'loss', withRespectTo: ['unused', 'x'] });
    const result = evaluate(model, { x: tensorFrom('float32', [1, 2, 3, 4], [2, 2]) });
    expect(numbersOf(result.unused_grad!)).toEqual([0, 0]);
    expect(result.x_grad).toMatchObject({ dims: [2, 2] });
  });

  it('starts from a seed where the value is not a scalar', () => {
    const model = gradient(squares(), { of: 'y', withRespectTo: ['c'], seed: 'y_seed' });
    expect(model.graph.inputs.map(({ name }) => name)).toEqual(['x', 'y_seed']);
    const feeds = { x: tensorFrom('float32', [1, 2, 3], [1, 3]), y_seed: tensorFrom('float32', [7, 8], [1, 2]) };
    expect(numbersOf(evaluate(model, feeds).c_grad!)).toEqual([7, 8]);
  });

  it('builds the same graph every time', () => {
    const options = { of: 'loss', withRespectTo: ['w', 'c'] };
    expect(lines(gradient(squares(), options))).toEqual(lines(gradient(squares(), options)));
  });
});

describe('gradient refuses', () => {
  function withUnknown(): Model {
    const build = new GraphBuilder();
    build.input('x', 'float32', ['n']);
    const before = build.op('Neg', ['x'], undefined, 'before');
    const [odd] = build.node('Whirl', [before], { name: 'whirl1', outputs: ['odd'] });
    build.output(odd!, { dtype: 'float32', shape: ['n'] });
    build.output(build.op('ReduceSum', [odd!], { keepdims: { kind: 'int', value: 0 } }, 'loss'));
    return build.build();
  }

  it('an operator without a rule, naming the node and the path', () => {
    expect(messageOf(withUnknown(), { of: 'loss', withRespectTo: ['x'] })).toBe(
      'Whirl "whirl1" has no gradient: there is no rule for this operator\n' +
        '  The path "x" -> Neg (of "before") -> Whirl "whirl1" -> ReduceSum (of "loss") -> "loss" needs it. ' +
        'Leave "x" out of what you differentiate by, rewrite the node, or pass a rule for it in `rules`.',
    );
  });

  it('one that can be written in standard operators, saying by what', () => {
    for (const [domain, opType] of [
      ['com.microsoft', 'FastGelu'],
      ['', 'LSTM'],
    ] as const) {
      const build = new GraphBuilder();
      const [y] = build.node(opType, [build.input('x', 'float32', ['n'])], { domain });
      build.output(y!, { dtype: 'float32', shape: ['n'] });
      build.output(build.op('ReduceSum', [y!], { keepdims: { kind: 'int', value: 0 } }, 'loss'));
      expect(messageOf(build.build(), { of: 'loss', withRespectTo: ['x'] })).toContain(
        'write it in standard operators (expandOperators()), or pass a rule',
      );
    }
  });

  it('only where a gradient needs that operator', () => {
    const model = withUnknown();
    expect(() => gradient(model, { of: 'loss', withRespectTo: ['loss'] })).not.toThrow();
  });

  it('control flow, by name', () => {
    const build = new GraphBuilder();
    build.input('x', 'float32', []);
    const inner = new GraphBuilder();
    inner.output(inner.op('Neg', ['x'], undefined, 'negated'), { dtype: 'float32', shape: [] });
    const graph = { kind: 'graph', value: inner.build().graph } as const;
    const condition = build.greater('x', build.scalar(0, 'float32'));
    build.node('If', [condition], {
      name: 'choice',
      attributes: { then_branch: graph, else_branch: graph },
      outputs: ['loss'],
    });
    build.output('loss', { dtype: 'float32', shape: [] });
    expect(messageOf(build.build(), { of: 'loss', withRespectTo: ['x'] })).toMatch(
      /^If "choice" has no gradient: gradients through subgraphs are not built: unroll or inline it first\n {2}The path "x" -> If "choice" -> "loss" needs it\./,
    );
  });

  it('a name that the model does not have, suggesting one that it has', () => {
    expect(messageOf(squares(), { of: 'los', withRespectTo: ['w'] })).toBe(
      'the model has no value "los"\n  Did you mean "loss"?',
    );
    expect(messageOf(squares(), { of: 'loss', withRespectTo: ['something else'] })).toBe(
      'the model has no value "something else"\n  Its outputs are "loss", "y"; its weights "w", "c".',
    );
  });

  it('what is not a scalar', () => {
    expect(messageOf(squares(), { of: 'y', withRespectTo: ['w'] })).toBe(
      '"y": expected a scalar to differentiate, got [batch, 2]\n' +
        '  Reduce it to one number first (ReduceMean), or give `seed` to start from a gradient of your own.',
    );
  });

  it('a name given twice, and none at all', () => {
    expect(messageOf(squares(), { of: 'loss', withRespectTo: ['w', 'w'] })).toBe('withRespectTo: "w" is named twice');
    expect(messageOf(squares(), { of: 'loss', withRespectTo: [] })).toMatch(/^withRespectTo: expected at least one/);
  });

  it('a result name that the model already uses', () => {
    const model = gradient(squares(), { of: 'loss', withRespectTo: ['w'] });
    expect(messageOf(model, { of: 'loss', withRespectTo: ['w'] })).toBe(
      'the model already has a value or node named "w_grad"\n' + '  Rename it: the gradient of "w" takes that name.',
    );
  });

  it('takes a rule of the caller for an operator that Lathe does not know', () => {
    const rules = { Whirl: rule(({ outputGradient }) => [outputGradient(0)]) };
    const model = gradient(withUnknown(), { of: 'loss', withRespectTo: ['before'], rules });
    expect(model.graph.outputs.at(-1)!.name).toBe('before_grad');
  });
});

describe('operator sets', () => {
  function lookup(opset: number, extra: (build: GraphBuilder) => void = () => {}): Model {
    const build = new GraphBuilder({ opset });
    build.initializer('table', tensorFrom('float32', [1, 2, 3, 4], [2, 2]));
    build.input('ids', 'int64', ['n']);
    extra(build);
    build.output(
      build.op('ReduceSum', [build.gather('table', 'ids')], { keepdims: { kind: 'int', value: 0 } }, 'loss'),
    );
    return build.build();
  }

  it('raises the operator set where a rule needs a newer one', () => {
    const model = gradient(lookup(13), { of: 'loss', withRespectTo: ['table'] });
    expect(model.opsets).toEqual([{ domain: '', version: 16 }]);
    const feeds = { ids: tensorFrom('int64', [1, 1, 1]) };
    expect(numbersOf(evaluate(model, feeds).table_grad!)).toEqual([0, 0, 3, 3]);
  });

  it('but not where a node would change its meaning', () => {
    const model = lookup(13, (build) => {
      const maps = build.input('maps', 'float32', [1, 1, 4, 4]);
      const inputs = [maps, build.input('regions', 'float32', [1, 4]), build.int64s([0])];
      build.node('RoiAlign', inputs, { name: 'align', attributes: { mode: string('avg') }, outputs: ['aligned'] });
    });
    expect(messageOf(model, { of: 'loss', withRespectTo: ['table'] })).toMatch(
      /^the gradient of Gather \(of "gather"\) needs operator set 16, the model has 13, and RoiAlign "align" changed its meaning in 16\n/,
    );
  });

  it('does not accept one that is too old or too new', () => {
    const model = { ...lookup(13), opsets: [{ domain: '', version: 11 }] };
    expect(messageOf(model, { of: 'loss', withRespectTo: ['table'] })).toMatch(
      /^the model imports operator set 11: gradients need 13 to 21\n/,
    );
  });
});

describe('what rules do beyond their formula', () => {
  const keepNone = { keepdims: { kind: 'int', value: 0 } } as const;

  it('differentiates twice', () => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float64', ['n', 2]);
    const y = build.op('Softmax', [
      build.op('MatMul', [x, build.constant(tensorFrom('float64', [1, 2, 3, 4], [2, 2]))]),
    ]);
    build.output(build.op('ReduceSum', [build.mul(y, build.mul(y, build.op('Tanh', [x])))], keepNone, 'loss'));
    const once = gradient(build.build(), { of: 'loss', withRespectTo: ['x'] });
    const onto = new GraphBuilder({ extending: once.graph });
    onto.op('ReduceSum', [onto.op('Sin', ['x_grad'])], keepNone, 'slope');
    const joined = { ...once, graph: { ...once.graph, nodes: [...once.graph.nodes, ...onto.nodes] } };
    const first = { ...joined, graph: { ...joined.graph, outputs: [{ name: 'slope' }] } };
    const twice = gradient(renamed(first, 'x_grad', 'slopes'), { of: 'slope', withRespectTo: ['x'] });
    const at = [0.3, -0.7, 1.1, 0.4];
    const slopeAt = (values: number[]): number =>
      numbersOf(evaluate(first, { x: tensorFrom('float64', values, [2, 2]) }).slope!)[0]!;
    const result = numbersOf(evaluate(twice, { x: tensorFrom('float64', at, [2, 2]) }).x_grad!);
    for (const [index, value] of result.entries()) {
      const moved = (offset: number): number[] => at.map((other, i) => (i === index ? other + offset : other));
      expect(Math.abs(value - (slopeAt(moved(1e-5)) - slopeAt(moved(-1e-5))) / 2e-5)).toBeLessThan(1e-8);
    }
  });

  it('shares the gradient of tied extremes evenly, as PyTorch does', () => {
    const build = new GraphBuilder();
    const a = build.input('a', 'float64', [3]);
    const largest = build.op('ReduceMax', [a], keepNone);
    const pairwise = build.op(
      'ReduceSum',
      [build.op('Max', [a, build.constant(tensorFrom('float64', [2, 2, 2]))])],
      keepNone,
    );
    build.op('Add', [largest, pairwise], undefined, 'loss');
    build.output('loss');
    const model = gradient(build.build(), { of: 'loss', withRespectTo: ['a'] });
    const { a_grad } = evaluate(model, { a: tensorFrom('float64', [2, 3, 3]) });
    expect(numbersOf(a_grad!)).toEqual([0.5, 1.5, 1.5]);
  });

  it('gives dropout the mask of the same run, scaled by the ratio', async () => {
    for (const ratio of [0.25, undefined]) {
      const build = new GraphBuilder();
      const x = build.input('x', 'float32', ['n']);
      const on = build.constant(tensor('bool', [], new Uint8Array([1])));
      build.op('Dropout', [x, ratio === undefined ? undefined : build.scalar(ratio, 'float32'), on], undefined, 'y');
      build.op('ReduceSum', [build.mul('y', build.input('weight', 'float32', ['n']))], keepNone, 'loss');
      build.output('loss');
      build.output('y');
      const model = gradient(build.build(), { of: 'loss', withRespectTo: ['x'] });
      const session = await InferenceSession.create(encodeModel(model), { intraOpNumThreads: 1 });
      const weight = Float32Array.from({ length: 200 }, (_, index) => index + 1);
      const { y, x_grad } = await session.run({
        x: new RuntimeTensor('float32', new Float32Array(200).fill(1), [200]),
        weight: new RuntimeTensor('float32', weight, [200]),
      });
      await session.release();
      const factors = Array.from(y!.data as Float32Array);
      const scale = Math.fround(1 / (1 - (ratio ?? 0.5)));
      expect(new Set(factors)).toEqual(new Set([0, scale]));
      expect(Array.from(x_grad!.data as Float32Array)).toEqual(
        factors.map((factor, i) => Math.fround(factor * weight[i]!)),
      );
    }
  });

  it('adds the outputs that it needs to forward nodes that leave them out', () => {
    const build = new GraphBuilder();
    const x = build.input('x', 'float32', ['n', 4]);
    const scale = build.initializer('scale', tensorFrom('float32', [1, 1, 1, 1]));
    build.op('LayerNormalization', [x, scale], undefined, 'y');
    build.output(build.op('ReduceSum', ['y'], keepNone, 'loss'));
    const model = gradient(build.build(), { of: 'loss', withRespectTo: ['scale'] });
    const node = model.graph.nodes.find(({ opType }) => opType === 'LayerNormalization')!;
    expect(node.outputs).toEqual(['y', 'y_1', 'y_2']);
  });

  it('works on 16-bit floats', () => {
    const build = new GraphBuilder({ opset: 20 });
    const x = build.input('x', 'float16', [3]);
    build.output(build.op('ReduceSum', [build.op('Gelu', [x])], keepNone, 'loss'));
    const model = gradient(build.build(), { of: 'loss', withRespectTo: ['x'] });
    const half = tensor('float16', [3], new Uint16Array([0x0000, 0x4900, 0xc900])); // 0, 10, -10
    expect(Array.from(evaluate(model, { x: half }).x_grad!.data as Uint16Array)).toEqual([0x3800, 0x3c00, 0x0000]);
  });
});

describe('rules refuse', () => {
  const one = (opType: string, inputs: Record<string, readonly [DataType, Shape]>, options: NodeOptions): Model => {
    const build = new GraphBuilder({ opset: 18 });
    const values = Object.entries(inputs).map(([name, [dtype, shape]]) => build.input(name, dtype, shape));
    const [y] = build.node(opType, values, { name: 'here', ...options });
    const loss = build.op('ReduceSum', [y!], { keepdims: { kind: 'int', value: 0 } }, 'loss');
    build.output(loss, { dtype: 'float32', shape: [] });
    return build.build();
  };
  type NodeOptions = Parameters<GraphBuilder['node']>[2] & object;
  const rows: readonly (readonly [string, Model, string, string])[] = [
    [
      'ScatterElements with a reduction other than add',
      one(
        'ScatterElements',
        { x: ['float32', [3]], i: ['int64', [2]], u: ['float32', [2]] },
        { attributes: { reduction: string('mul') } },
      ),
      'x',
      'ScatterElements "here" has no gradient: reduction "mul" has no gradient here\n  Use "none" or "add".',
    ],
    [
      'Einsum with an ellipsis',
      one('Einsum', { x: ['float32', [2, 3]] }, { attributes: { equation: string('...i->...') } }),
      'x',
      'Einsum "here" has no gradient: the equation has an ellipsis\n  Write its axes as labels.',
    ],
    [
      'Einsum with a diagonal',
      one('Einsum', { x: ['float32', [2, 2]] }, { attributes: { equation: string('ii->i') } }),
      'x',
      'Einsum "here" has no gradient: the operand "ii" repeats a label\n  Take the diagonal with another operator.',
    ],
    [
      'the class weights of a loss',
      one('SoftmaxCrossEntropyLoss', { x: ['float32', [2, 3]], labels: ['int64', [2]], weights: ['float32', [3]] }, {}),
      'weights',
      'SoftmaxCrossEntropyLoss "here" has no gradient: the gradient of the class weights is not built',
    ],
    ...(
      [
        [
          'the regions',
          'regions',
          { sampling_ratio: int(2) },
          'the regions have no gradient\n  Leave them out of what is differentiated.',
        ],
        [
          'the largest sample',
          'x',
          { mode: string('max') },
          'mode "max"\n  Runtimes take the largest of different values: use "avg".',
        ],
        [
          'any number of samples',
          'x',
          {},
          'sampling_ratio 0: as many samples as a region is large\n  Export with a number of them.',
        ],
      ] as const
    ).map(
      ([what, by, attributes, message]) =>
        [
          `RoiAlign: ${what}`,
          one(
            'RoiAlign',
            { x: ['float32', [1, 2, 4, 4]], regions: ['float32', [1, 4]], owner: ['int64', [1]] },
            { attributes },
          ),
          by,
          `RoiAlign "here" has no gradient: ${message}`,
        ] as const,
    ),
    [
      'a rank that is not known',
      ofUnknownRank('Softsign', (build, y) => build.op('Transpose', [y])),
      'x',
      'Transpose (of "transpose"): the number of dimensions of "softsign" is not known\n' +
        '  Give it a shape in the value_info of the model; the dimensions themselves may stay open.',
    ],
  ];

  it.each(rows)('%s', (_, model, by, message) => {
    expect(messageOf(model, { of: 'loss', withRespectTo: [by] })).toBe(message);
  });

  it('nothing where all of an unknown number of dimensions are reduced', () => {
    for (const reduction of ['ReduceSum', 'ReduceMean']) {
      const model = ofUnknownRank('Exp', (_, y) => y, reduction);
      const feeds = { x: tensorFrom('float32', [0, 1, 2, 3, 4, 5], [2, 3]), shape: tensorFrom('int64', [3, 2]) };
      const slopes = numbersOf(evaluate(gradient(model, { of: 'loss', withRespectTo: ['x'] }), feeds).x_grad!);
      const share = reduction === 'ReduceSum' ? 1 : 1 / 6;
      expect(slopes.map((slope, index) => Math.abs(slope / (share * Math.exp(index)) - 1) < 1e-6)).not.toContain(false);
    }
  });

  it('to differentiate by integers', () => {
    const model = one('Reshape', { x: ['float32', [2, 3]], shape: ['int64', [1]] }, {});
    expect(messageOf(model, { of: 'loss', withRespectTo: ['shape'] })).toBe(
      '"shape": expected floating-point numbers to differentiate by\n  Integers, booleans and strings have no gradient.',
    );
  });
});

/** Something of a value whose rank nobody knows, reduced to one number. */
function ofUnknownRank(
  opType: string,
  then: (build: GraphBuilder, value: string) => string,
  reduction = 'ReduceSum',
): Model {
  const build = new GraphBuilder();
  const reshaped = build.reshape(build.input('x', 'float32', [2, 3]), build.input('shape', 'int64', ['rank']));
  build.output(build.op(reduction, [then(build, build.op(opType, [reshaped]))], { keepdims: int(0) }, 'loss'));
  return build.build();
}

/** The model with another name for one of its values. */
function renamed(model: Model, from: string, to: string): Model {
  const rename = (name: string): string => (name === from ? to : name);
  const nodes = model.graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  return { ...model, graph: { ...model.graph, nodes } };
}

it('refuses the gradient of where Resize crops', () => {
  const graph = new GraphBuilder();
  const x = graph.input('x', 'float32', [1, 1, 4, 4]);
  const roi = graph.input('roi', 'float32', [8]);
  const scales = graph.constant(tensorFrom('float32', [1, 1, 2, 2]));
  const mode = string('tf_crop_and_resize');
  const resized = graph.op('Resize', [x, roi, scales], { coordinate_transformation_mode: mode });
  graph.output(graph.op('ReduceSum', [resized], { keepdims: int(0) }, 'loss'), { dtype: 'float32', shape: [] });
  expect(() => gradient(graph.build(), { of: 'loss', withRespectTo: ['roi'] })).toThrow(
    /Resize.*roi and scales have no gradient/,
  );
});
