import { describe, expect, it } from 'vitest';
import { float64Of, numbersOf, random, type Tensor, tensor, tensorFrom } from '../../base/index.ts';
import {
  check,
  encodeModel,
  evaluate,
  float,
  GraphBuilder,
  int,
  type Model,
  removeDeadNodes,
  type Shape,
  type Value,
} from '../../graph/index.ts';
import { fromConfig, presetConfig } from '../../nn/index.ts';
import { openSession, profileByOperator } from '../../runtime/index.ts';
import { type DynamicOptions, quantizeDynamic } from './dynamic.ts';

function normal(seed: number, dims: readonly number[]): Tensor {
  const draw = random(seed);
  return tensor(
    'float32',
    dims,
    Float32Array.from({ length: dims.reduce((size, dim) => size * dim, 1) }, () => draw.normal()),
  );
}

/** A model of one input `x` and one output `y`. */
function modelOf(
  shape: Shape,
  write: (build: GraphBuilder, x: Value) => Value,
  dtype: 'float32' | 'int64' = 'float32',
): Model {
  const build = new GraphBuilder();
  const y = write(build, build.input('x', dtype, shape));
  build.output(y, { dtype: 'float32' }, 'y');
  return build.build();
}

async function run(model: Model, x: Tensor): Promise<Tensor> {
  const session = await openSession(model, { threads: 1 });
  try {
    return (await session.run({ x })).y!;
  } finally {
    await session.close();
  }
}

const stepOf = (values: ArrayLike<number>, steps: number): number =>
  (Math.max(0, ...Array.from(values)) - Math.min(0, ...Array.from(values))) / steps;

/**
 * How far the quantized product of a row of x with a column of w may be: each x is off by a step at most (half for rounding,
 * half where the rounded zero point cuts the range), each weight by half of its step.
 */
function boundsOf(x: Tensor, matrix: (input: number, output: number) => number, inputs: number, outputs: number) {
  const values = float64Of(x);
  const xStep = stepOf(values, 255);
  return (row: number, output: number): number => {
    const column = Array.from({ length: inputs }, (_, input) => matrix(input, output));
    const wStep = Math.max(...column.map(Math.abs)) / 127;
    let bound = 0;
    for (const [input, weight] of column.entries())
      bound += xStep * Math.abs(weight) + (Math.abs(values[row * inputs + input]!) + xStep) * (wStep / 2);
    return bound + 1e-5 * outputs;
  };
}

const INPUTS = 24;
const OUTPUTS = 10;
const weight = normal(2, [INPUTS, OUTPUTS]);
const turned = tensorFrom(
  'float32',
  Array.from({ length: INPUTS * OUTPUTS }, (_, at) =>
    Number(weight.data[(at % INPUTS) * OUTPUTS + Math.floor(at / INPUTS)]),
  ),
  [OUTPUTS, INPUTS],
);
const bias = normal(3, [OUTPUTS]);

interface LinearCase {
  readonly x: readonly number[];
  /** What the product is multiplied by. */
  readonly scale?: number;
  readonly write: (build: GraphBuilder, x: Value) => Value;
}

const LINEAR: Readonly<Record<string, LinearCase>> = {
  'a MatMul of three dimensions': {
    x: [2, 3, INPUTS],
    write: (build, x) => build.matMul(x, build.initializer('w', weight)),
  },
  'a MatMul with a bias behind it': {
    x: [5, INPUTS],
    write: (build, x) => build.add(build.matMul(x, build.initializer('w', weight)), build.initializer('b', bias)),
  },
  'a MatMul whose weight a node transposes': {
    x: [5, INPUTS],
    write: (build, x) => build.matMul(x, build.transpose(build.initializer('w', turned), [1, 0])),
  },
  'a Gemm': {
    x: [4, INPUTS],
    write: (build, x) => build.gemm(x, build.initializer('w', weight), build.initializer('b', bias)),
  },
  'a Gemm of a transposed weight, scaled': {
    x: [4, INPUTS],
    scale: 0.5,
    write: (build, x) =>
      build.op('Gemm', [x, build.initializer('w', turned), build.initializer('b', bias)], {
        transB: int(1),
        alpha: float(0.5),
        beta: float(3),
      }),
  },
  'a Gemm that adds a value of the graph, scaled': {
    x: [4, INPUTS],
    write: (build, x) => {
      const sums = build.reduceSum(x, [1]);
      return build.op('Gemm', [x, build.initializer('w', weight), sums], { beta: float(-2) });
    },
  },
};

const OPTIONS: readonly DynamicOptions[] = [
  { activations: 'tensor' },
  { activations: 'tensor', weightType: 'uint8' },
  { activations: 'tensor', reduceRange: true },
  { activations: 'tensor', perChannel: false },
  { activations: 'row' },
  { activations: 'row', weightType: 'uint8' },
  { activations: 'row', reduceRange: true },
];

describe('dynamic quantization', () => {
  for (const [name, { x: dims, scale = 1, write }] of Object.entries(LINEAR)) {
    for (const options of OPTIONS) {
      it(`of ${name} is as far from it as the scales allow: ${JSON.stringify(options)}`, async () => {
        const model = modelOf(dims, write);
        const { model: integers, quantized } = quantizeDynamic(model, { minimumElements: 0, ...options });
        check(integers);
        expect(quantized).toHaveLength(1);
        const types = integers.graph.nodes.map(({ opType }) => opType);
        expect(types).toContain(options.activations === 'tensor' ? 'MatMulInteger' : 'QuantizeLinear');
        expect(integers.graph.initializers.has('w')).toBe(false);
        const x = normal(4, dims);
        const expected = evaluate(model, { x }).y!;
        const given = evaluate(integers, { x }).y!;
        expect(given.dims).toEqual(expected.dims);
        const bound = boundsOf(x, (input, output) => Number(weight.data[input * OUTPUTS + output]), INPUTS, OUTPUTS);
        const looser = options.reduceRange || options.perChannel === false ? 3 : 1;
        const values = numbersOf(given);
        for (const [at, value] of numbersOf(expected).entries()) {
          const allowed = looser * scale * bound(Math.floor(at / OUTPUTS), at % OUTPUTS);
          expect(Math.abs(values[at]! - value)).toBeLessThanOrEqual(allowed);
        }
        expect(values).not.toEqual(numbersOf(expected));
        // The weights of 8 bits may saturate in ONNX Runtime where there is no VNNI: those of 7 never do.
        if (options.reduceRange) {
          const onRuntime = float64Of(await run(integers, x));
          for (const [at, value] of values.entries()) expect(onRuntime[at]).toBeCloseTo(value, 4);
        }
      });
    }
  }

  it('by row gives a row the same answer beside any other, by tensor it does not', async () => {
    const model = modelOf(['n', INPUTS], (build, x) => build.matMul(x, build.initializer('w', weight)));
    const two = normal(11, [2, INPUTS]);
    const loud = (two.data as Float32Array).map((value, at) => (at < INPUTS ? value : 50 * value));
    const alone = tensor('float32', [1, INPUTS], loud.slice(0, INPUTS));
    for (const activations of ['row', 'tensor'] as const) {
      const { model: integers } = quantizeDynamic(model, { minimumElements: 0, activations });
      const beside = numbersOf(await run(integers, tensor('float32', [2, INPUTS], loud))).slice(0, OUTPUTS);
      const equal = expect(beside);
      const own = numbersOf(await run(integers, alone));
      if (activations === 'row') equal.toEqual(own);
      else equal.not.toEqual(own);
    }
  });

  it('makes zeros of a row of zeros', async () => {
    const model = modelOf([2, INPUTS], (build, x) => build.matMul(x, build.initializer('w', weight)));
    const { model: integers } = quantizeDynamic(model, { minimumElements: 0 });
    const y = await run(integers, tensor('float32', [2, INPUTS], new Float32Array(2 * INPUTS)));
    expect(numbersOf(y).every((value) => value === 0)).toBe(true);
  });

  it('quantizes a value that several products read once', () => {
    const model = modelOf([3, INPUTS], (build, x) => {
      const one = build.matMul(x, build.initializer('w', weight));
      return build.add(one, build.matMul(x, build.initializer('v', normal(9, [INPUTS, OUTPUTS]))));
    });
    const { model: integers } = quantizeDynamic(model, { minimumElements: 0, activations: 'tensor' });
    const types = integers.graph.nodes.map(({ opType }) => opType);
    expect(types.filter((type) => type === 'DynamicQuantizeLinear')).toHaveLength(1);
    expect(types.filter((type) => type === 'MatMulInteger')).toHaveLength(2);
  });

  it('leaves what is small or named as it is, and says why', () => {
    const model = modelOf([3, INPUTS], (build, x) => {
      const hidden = build.op('MatMul', [x, build.initializer('w', weight)], {}, 'hidden');
      const logits = build.op('MatMul', [hidden, build.initializer('v', normal(9, [OUTPUTS, 2]))], {}, 'logits');
      return build.identity(logits);
    });
    const small = quantizeDynamic(model, { minimumElements: 21, except: new Set(['hidden']) });
    expect(small.changed).toBe(false);
    expect(small.model).toBe(model);
    expect(small.kept).toEqual([
      { node: 'hidden', reason: 'it was named to be left' },
      { node: 'logits', reason: 'its 20 weights are fewer than 21' },
    ]);
  });

  const table = normal(5, [40, 6]);
  const rows: Readonly<
    Record<string, readonly [ids: readonly number[], write: (build: GraphBuilder, x: Value) => Value]>
  > = {
    Gather: [[3, 39, 0, 3], (build, x) => build.gather(build.initializer('table', table), x)],
    Slice: [
      [0, 1, 2, 3],
      (build, x) =>
        build.op('Slice', [build.initializer('table', table), build.int64s([0]), build.shape(x), build.int64s([0])]),
    ],
  };
  for (const [opType, [ids, write]] of Object.entries(rows)) {
    it.each(['rows', 'table'] as const)(
      `stores the table of a ${opType} as int8, within half a scale: by %s`,
      async (embeddings) => {
        const model = modelOf(['n'], write, 'int64');
        const { model: integers, quantized } = quantizeDynamic(model, { minimumElements: 0, embeddings });
        check(integers);
        expect(quantized).toHaveLength(1);
        expect(integers.graph.initializers.get('table_quantized')?.dtype).toBe('int8');
        expect(integers.graph.initializers.has('table')).toBe(false);
        const x = tensorFrom('int64', ids);
        const expected = numbersOf(evaluate(model, { x }).y!);
        const largest = (values: readonly number[]): number => Math.max(...values.map(Math.abs));
        const whole = largest(numbersOf(table));
        for (const given of [evaluate(integers, { x }).y!, await run(integers, x)]) {
          expect(given.dims).toEqual([4, 6]);
          for (const [at, value] of numbersOf(given).entries()) {
            const row = expected.slice(at - (at % 6), at - (at % 6) + 6);
            const step = (embeddings === 'rows' ? largest(row) : whole) / 127;
            expect(Math.abs(value - expected[at]!)).toBeLessThanOrEqual(0.5001 * step);
          }
        }
      },
    );
  }

  it('leaves tables of another axis, and tables where told to', () => {
    const columns = modelOf(['n'], (build, x) => build.gather(build.initializer('table', table), x, 1), 'int64');
    expect(quantizeDynamic(columns, { minimumElements: 0 }).changed).toBe(false);
    const gathered = modelOf(['n'], (build, x) => build.gather(build.initializer('table', table), x), 'int64');
    expect(quantizeDynamic(gathered, { minimumElements: 0, embeddings: 'float' }).changed).toBe(false);
  });
});

describe.each(['tensor', 'row'] as const)('a BERT quantized dynamically, by %s', (activations) => {
  const config = presetConfig('bert-tiny', { vocabularySize: 2000, labels: ['ham', 'spam'] });
  const model = fromConfig(config, { seed: 7 });
  const { model: integers, quantized } = quantizeDynamic(model, { activations });
  const ids = Array.from({ length: 32 }, (_, at) => (at * 379) % 2000);
  const feeds = {
    input_ids: tensorFrom('int64', ids, [2, 16]),
    attention_mask: tensorFrom(
      'int64',
      ids.map(() => 1),
      [2, 16],
    ),
    token_type_ids: tensorFrom(
      'int64',
      ids.map(() => 0),
      [2, 16],
    ),
  };

  it('has every matrix and table as integers, a quarter of the bytes, and the same inputs and outputs', () => {
    check(integers);
    // Six matrices a layer, the pooler, the words and the positions.
    expect(quantized).toHaveLength(15);
    expect(encodeModel(integers).length).toBeLessThan(encodeModel(removeDeadNodes(model).model).length / 3.7);
    expect(integers.graph.inputs).toEqual(model.graph.inputs);
    expect(integers.graph.outputs).toEqual(model.graph.outputs);
    expect(integers.opsets).toEqual([{ domain: '', version: 17 }]);
    expect(integers.irVersion).toBe(8);
  });

  it('is fused by ONNX Runtime: every integer product is one operator', async () => {
    const operators = await profileByOperator(integers, feeds, { threads: 1, runs: 1, warmup: 0 });
    const count = (opType: string): number => operators.find((row) => row.opType === opType)?.count ?? 0;
    expect(count('DynamicQuantizeMatMul') + count('MatMulIntegerToFloat')).toBe(13);
    expect(count('MatMulInteger')).toBe(0);
    expect(count('DequantizeLinear')).toBe(0);
  });

  it(`answers in ${activations === 'row' ? 'the same' : 'other'} bits alone than in a batch`, async () => {
    const all = Array.from({ length: 7 * 16 }, (_, at) => (at * at * 379 + at) % 2000);
    const logitsOf = async (from: number, to: number): Promise<readonly number[]> => {
      const rows = all.slice(from * 16, to * 16);
      const whole = (value?: number): Tensor =>
        tensorFrom('int64', value === undefined ? rows : rows.map(() => value), [to - from, 16]);
      const session = await openSession(integers, { threads: 1 });
      const { logits: given } = await session.run({
        input_ids: whole(),
        attention_mask: whole(1),
        token_type_ids: whole(0),
      });
      await session.close();
      return numbersOf(given!);
    };
    const together = await logitsOf(0, 7);
    for (const [from, to] of [
      [0, 1],
      [3, 4],
      [6, 7],
      [1, 3],
      [2, 7],
    ] as const) {
      const answers = expect(await logitsOf(from, to));
      const expected = together.slice(2 * from, 2 * to);
      if (activations === 'row') answers.toEqual(expected);
      else answers.not.toEqual(expected);
    }
  });

  it('is written in the same bytes each time', () => {
    expect(Buffer.from(encodeModel(quantizeDynamic(model, { activations }).model)).equals(encodeModel(integers))).toBe(
      true,
    );
  });

  it('says on ONNX Runtime nearly what the floats say', async () => {
    const logits = async (of: Model): Promise<readonly number[]> => {
      const session = await openSession(of, { threads: 1 });
      const { logits: given } = await session.run(feeds);
      await session.close();
      return numbersOf(given!);
    };
    const [floats, given] = [await logits(model), await logits(integers)];
    const size = Math.max(...floats.map(Math.abs));
    expect(Math.max(...floats.map((value, at) => Math.abs(value - given[at]!)))).toBeLessThan(0.15 * size);
  });
});
