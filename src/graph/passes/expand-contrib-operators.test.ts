import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { random, sizeOf, type Tensor, tensorFrom } from '../../base/index.ts';
import { float, floats, int, ints, string } from '../attributes.ts';
import { type Attributes, GraphBuilder } from '../builder.ts';
import { check } from '../check.ts';
import { encodeModel } from '../encoding.ts';
import { type Model, opsetOf } from '../ir.ts';
import { CONTRIB_EXPANSIONS, expandContribOperators } from './expand-contrib-operators.ts';

interface Case {
  readonly opType: string;
  /** Dimensions of float inputs, drawn at random; tensors as they are; undefined for one left out. */
  readonly inputs: readonly (readonly number[] | Tensor | undefined)[];
  readonly attributes?: Attributes;
  readonly outputs?: number;
  readonly domain?: string;
}

const HEADS: Attributes = { num_heads: int(2) };
const integers = (dims: readonly number[], values: readonly number[]): Tensor => tensorFrom('int32', values, dims);
const PADDED = integers([2, 3], [1, 1, 1, 1, 0, 0]);
const PACKED = [[2, 3, 4], [4, 24], [24]];
const SEPARATE = [
  [2, 3, 8],
  [2, 5, 8],
  [2, 5, 8],
];
const EMBEDDINGS = [[9, 8], [6, 8], [2, 8], [8], [8]];
const IDS = integers([2, 3], [1, 4, 8, 0, 2, 2]);
const SEGMENTS = integers([2, 3], [0, 0, 1, 0, 1, 1]);

const CASES: readonly Case[] = [
  { opType: 'BiasGelu', inputs: [[2, 3, 8], [8]] },
  { opType: 'FastGelu', inputs: [[2, 3, 8], [8]] },
  { opType: 'FastGelu', inputs: [[2, 8]] },
  { opType: 'Gelu', inputs: [[3, 4]] },
  { opType: 'QuickGelu', inputs: [[3, 4]] },
  { opType: 'QuickGelu', inputs: [[3, 4]], attributes: { alpha: float(1) } },
  ...[0, 1].flatMap((transA) =>
    [0, 1].map((transB) => ({
      opType: 'FusedMatMul',
      inputs: [transA ? [2, 4, 3] : [2, 3, 4], transB ? [5, 4] : [4, 5]],
      attributes: { transA: int(transA), transB: int(transB), alpha: float(transA ? 0.5 : 1) },
    })),
  ),
  { opType: 'FusedGemm', inputs: [[2, 3], [3, 4], [4]], attributes: { activation: string('Relu') } },
  {
    opType: 'FusedGemm',
    inputs: [
      [2, 3],
      [4, 3],
    ],
    attributes: { activation: string('LeakyRelu'), activation_alpha: float(0.2), transB: int(1), alpha: float(2) },
  },
  {
    opType: 'FusedConv',
    inputs: [[1, 2, 5, 5], [3, 2, 3, 3], [3]],
    attributes: { activation: string('Relu'), pads: ints([1, 1, 1, 1]) },
  },
  {
    opType: 'FusedConv',
    inputs: [[1, 2, 5, 5], [3, 2, 3, 3], [3], [1, 3, 3, 3]],
    attributes: { activation: string('HardSigmoid'), activation_params: floats([0.3, 0.4]) },
  },
  {
    opType: 'FusedConv',
    inputs: [
      [1, 2, 5],
      [3, 2, 3],
    ],
    attributes: { activation: string('Clip'), activation_params: floats([0, 1]) },
  },
  {
    opType: 'SkipLayerNormalization',
    inputs: [[2, 3, 8], [2, 3, 8], [8], [8], [8]],
    attributes: { epsilon: float(1e-5) },
  },
  { opType: 'SkipLayerNormalization', inputs: [[2, 3, 8], [1, 3, 8], [8]], outputs: 4 },
  { opType: 'SkipLayerNormalization', inputs: [[2, 3, 8], [3, 8], [8], undefined, [8]], outputs: 4 },
  { opType: 'SkipSimplifiedLayerNormalization', inputs: [[2, 3, 8], [2, 3, 8], [8], [8]], outputs: 4 },
  { opType: 'SimplifiedLayerNormalization', inputs: [[2, 3, 8], [8]], attributes: { axis: int(-1) }, domain: '' },
  { opType: 'Attention', inputs: PACKED, attributes: HEADS },
  { opType: 'Attention', inputs: [...PACKED, PADDED], attributes: HEADS },
  { opType: 'Attention', inputs: [...PACKED, PADDED], attributes: { ...HEADS, mask_filter_value: float(-1) } },
  { opType: 'Attention', inputs: [...PACKED, integers([2], [3, 1])], attributes: HEADS },
  {
    opType: 'Attention',
    inputs: [...PACKED, integers([2, 3, 3], [1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0, 1])],
    attributes: HEADS,
  },
  { opType: 'Attention', inputs: PACKED, attributes: { ...HEADS, unidirectional: int(1), scale: float(0.3) } },
  { opType: 'Attention', inputs: [...PACKED, undefined, undefined, [2, 2, 3, 3]], attributes: HEADS },
  {
    opType: 'Attention',
    inputs: [[2, 3, 4], [4, 20], [20]],
    attributes: { ...HEADS, qkv_hidden_sizes: ints([8, 8, 4]) },
  },
  { opType: 'MultiHeadAttention', inputs: SEPARATE, attributes: HEADS },
  { opType: 'MultiHeadAttention', inputs: [...SEPARATE, [24]], attributes: { ...HEADS, scale: float(0.2) } },
  {
    opType: 'MultiHeadAttention',
    inputs: [...SEPARATE, undefined, integers([2, 5], [1, 1, 1, 1, 1, 1, 1, 0, 0, 0])],
    attributes: HEADS,
  },
  { opType: 'MultiHeadAttention', inputs: [...SEPARATE, [24], undefined, [1, 2, 3, 5]], attributes: HEADS },
  ...[0, 1].flatMap((interleaved): Case[] => {
    const attributes = { interleaved: int(interleaved) };
    const places = tensorFrom('int64', [0, 1, 2, 4, 5, 3], [2, 3]);
    return [
      { opType: 'RotaryEmbedding', inputs: [[2, 3, 8], places, [6, 2], [6, 2]], attributes },
      { opType: 'RotaryEmbedding', inputs: [[2, 2, 3, 4], places, [6, 2], [6, 2]], attributes },
      { opType: 'RotaryEmbedding', inputs: [[2, 3, 8], tensorFrom('int64', [1]), [6, 2], [6, 2]], attributes },
    ];
  }),
  { opType: 'EmbedLayerNormalization', inputs: [IDS, SEGMENTS, ...EMBEDDINGS, PADDED], outputs: 3 },
  { opType: 'EmbedLayerNormalization', inputs: [IDS, SEGMENTS, ...EMBEDDINGS], outputs: 2 },
  {
    opType: 'EmbedLayerNormalization',
    inputs: [IDS, undefined, [9, 8], [6, 8], undefined, [8], [8], undefined, integers([2, 3], [5, 4, 3, 0, 1, 2])],
    outputs: 2,
  },
];

/** Decoders: 4 heads of queries over 2 of keys, 16 elements each, and a sequence of 5. */
const GROUPS: Attributes = { num_heads: int(4), kv_num_heads: int(2) };
const LENGTHS = [integers([2], [4, 4]), integers([], [5])];
const GROUPED = [[2, 5, 64], [2, 5, 32], [2, 5, 32], undefined, undefined, ...LENGTHS];
const PAST: readonly (readonly number[])[] = [
  [2, 2, 4, 4],
  [2, 2, 4, 4],
];
const OWN = [
  [2, 3, 8],
  [2, 3, 8],
  [2, 3, 8],
];

const DECODERS: readonly Case[] = [
  // Attention with a past state, and what goes into the next one.
  { opType: 'Attention', inputs: PACKED, attributes: HEADS, outputs: 2 },
  {
    opType: 'Attention',
    inputs: [...PACKED, undefined, [2, 2, 2, 5, 4]],
    attributes: { ...HEADS, unidirectional: int(1) },
    outputs: 2,
  },
  {
    opType: 'Attention',
    inputs: [...PACKED, integers([2, 8], [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0]), [2, 2, 2, 5, 4]],
    attributes: HEADS,
    outputs: 2,
  },
  // Where keys end, and where they begin.
  { opType: 'Attention', inputs: [...PACKED, integers([4], [3, 2, 0, 1])], attributes: HEADS },
  ...[0, 1].map((unidirectional) => ({
    opType: 'MultiHeadAttention',
    inputs: [...OWN, [24], undefined, undefined, ...PAST],
    attributes: { ...HEADS, unidirectional: int(unidirectional) },
    outputs: 3,
  })),
  { opType: 'MultiHeadAttention', inputs: OWN, attributes: { ...HEADS, unidirectional: int(1) }, outputs: 3 },
  ...[undefined, [24]].map((bias) => ({
    opType: 'MultiHeadAttention',
    inputs: [[2, 3, 8], [2, 2, 5, 4], [2, 2, 5, 4], bias],
    attributes: HEADS,
  })),
  { opType: 'MultiHeadAttention', inputs: [...SEPARATE, undefined, integers([2], [5, 2])], attributes: HEADS },
  {
    opType: 'MultiHeadAttention',
    inputs: [
      ...SEPARATE,
      undefined,
      integers(
        [2, 3, 5],
        Array.from({ length: 30 }, (_, index) => Number(index % 3 < 2)),
      ),
    ],
    attributes: HEADS,
  },
  ...[0, 1].flatMap((interleaved): Case[] => {
    const attributes = { interleaved: int(interleaved), num_heads: int(2), rotary_embedding_dim: int(2) };
    const first = tensorFrom('int64', [1]);
    return [
      { opType: 'RotaryEmbedding', inputs: [[2, 3, 8], first, [6, 1], [6, 1]], attributes },
      { opType: 'RotaryEmbedding', inputs: [[2, 2, 3, 4], first, [6, 1], [6, 1]], attributes },
    ];
  }),
  { opType: 'GroupQueryAttention', inputs: GROUPED, attributes: GROUPS, outputs: 3 },
  {
    opType: 'GroupQueryAttention',
    inputs: [[2, 5, 128], undefined, undefined, undefined, undefined, ...LENGTHS],
    attributes: GROUPS,
    outputs: 3,
  },
  {
    opType: 'GroupQueryAttention',
    inputs: [[2, 5, 64], [2, 5, 32], [2, 5, 32], [2, 2, 0, 16], [2, 2, 0, 16], ...LENGTHS],
    attributes: { ...GROUPS, scale: float(0.3) },
    outputs: 3,
  },
  ...[0, 1].map((interleaved) => ({
    opType: 'GroupQueryAttention',
    inputs: [...GROUPED, [6, 8], [6, 8]],
    attributes: { ...GROUPS, do_rotary: int(1), rotary_interleaved: int(interleaved) },
    outputs: 3,
  })),
  ...[{ local_window_size: int(2) }, { softcap: float(0.7) }, { smooth_softmax: int(1) }].map((more) => ({
    opType: 'GroupQueryAttention',
    inputs: GROUPED,
    attributes: { ...GROUPS, ...more },
    outputs: 3,
  })),
  {
    opType: 'GroupQueryAttention',
    inputs: [...GROUPED, undefined, undefined, undefined, [1, 4, 5, 5], [4]],
    attributes: { ...GROUPS, softcap: float(0.7) },
    outputs: 3,
  },
  {
    opType: 'TransposeMatMul',
    inputs: [
      [2, 3],
      [4, 3],
    ],
    attributes: { transB: int(1), alpha: float(0.5) },
  },
];

type Feeds = Readonly<Record<string, Tensor>>;

/** Inputs with open batch and sequence dimensions where they are data; weights are initializers. */
function modelOf({ opType, inputs, attributes = {}, outputs = 1, domain = 'com.microsoft' }: Case): {
  readonly model: Model;
  readonly feeds: Feeds;
} {
  const build = new GraphBuilder();
  const source = random(4);
  const feeds: Record<string, Tensor> = {};
  const names = inputs.map((given, index) => {
    if (given === undefined) return undefined;
    const value =
      'dtype' in given
        ? given
        : tensorFrom(
            'float32',
            Array.from({ length: sizeOf(given) }, () => source.normal()),
            given,
          );
    const name = `x${index}`;
    if (index > 0 && value.dtype === 'float32' && value.dims.length < 3) return build.initializer(name, value);
    feeds[name] = value;
    return build.input(name, value.dtype, value.dims);
  });
  const values = build.node(opType, names, {
    attributes,
    domain,
    outputs: Array.from({ length: outputs }, (_, k) =>
      opType.startsWith('Skip') && (k === 1 || k === 2) ? '' : `y${k}`,
    ),
  });
  for (const value of values) {
    const dtype = opType.startsWith('Embed') && value === 'y1' ? 'int32' : 'float32';
    if (value !== '') build.output(value, { dtype });
  }
  const opsets = [
    { domain: '', version: 17 },
    { domain: 'com.microsoft', version: 1 },
  ];
  return { model: build.build({ opsets }), feeds };
}

async function run(model: Model, feeds: Feeds): Promise<Record<string, { dims: readonly number[]; values: number[] }>> {
  const session = await InferenceSession.create(encodeModel(model), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    graphOptimizationLevel: 'disabled',
  });
  const given = Object.entries(feeds).map(([name, { dtype, dims, data }]) => [
    name,
    new RuntimeTensor(dtype as 'float32', data as Float32Array, dims),
  ]);
  const results = await session.run(Object.fromEntries(given));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { dims, data }]) => [
      name,
      { dims, values: Array.from(data as Float32Array, Number) },
    ]),
  );
}

describe('contrib operators in standard ones give what ONNX Runtime gives', () => {
  it.each([...CASES, ...DECODERS].map((given, index) => [`${index} ${given.opType}`, given] as const))(
    '%s',
    async (_, given) => {
      const { model, feeds } = modelOf(given);
      const { model: written, changed } = expandContribOperators(model);
      expect(changed).toBe(true);
      check(written);
      expect(
        written.graph.nodes.filter(({ domain, opType }) => domain !== '' || opType.startsWith('Simplified')),
      ).toEqual([]);
      const [expected, results] = [await run(model, feeds), await run(written, feeds)];
      expect(Object.keys(results)).toEqual(Object.keys(expected));
      for (const [name, { dims, values }] of Object.entries(expected)) {
        expect(results[name]!.dims).toEqual(dims);
        const largest = Math.max(1, ...values.map(Math.abs));
        for (const [index, value] of values.entries()) {
          expect(Math.abs(results[name]!.values[index]! - value)).toBeLessThan(2e-6 * largest);
        }
      }
    },
  );

  it('has a case for every operator', () => {
    // ONNX Runtime for CPU has no kernel for BiasAdd.
    const tested = new Set([...CASES, ...DECODERS].map(({ opType }) => opType).concat('BiasAdd'));
    expect(Object.keys(CONTRIB_EXPANSIONS).filter((name) => !tested.has(name))).toEqual([]);
  });

  // ONNX Runtime for CPU does not take packed inputs: it gets them one by one.
  it.each([3, 2])('MultiHeadAttention with %i inputs packed into one', async (count) => {
    const [batch, length, heads, size] = [2, 3, 2, 4];
    const source = random(8);
    const draw = (dims: readonly number[]): Tensor =>
      tensorFrom('float32', Array.from({ length: sizeOf(dims) }, source.normal), dims);
    const packed = draw([batch, length, heads, count, size]);
    const bias = draw([3 * heads * size]);
    const part = (which: number): Tensor => {
      const values = Array.from(packed.data as Float32Array).filter(
        (_, index) => Math.floor(index / size) % count === which,
      );
      return tensorFrom('float32', values, [batch, length, heads * size]);
    };
    const query = count === 3 ? part(0) : draw([batch, length, heads * size]);
    const [key, value] = [part(count - 2), part(count - 1)];
    const attention = (inputs: Readonly<Record<string, Tensor>>, order: readonly (string | undefined)[]): Model => {
      const build = new GraphBuilder();
      for (const [name, { dtype, dims }] of Object.entries(inputs)) build.input(name, dtype, dims);
      const [y] = build.node('MultiHeadAttention', order, {
        domain: 'com.microsoft',
        attributes: HEADS,
        outputs: ['y'],
      });
      build.output(y!, { dtype: 'float32' });
      const opsets = [
        { domain: '', version: 17 },
        { domain: 'com.microsoft', version: 1 },
      ];
      return build.build({ opsets });
    };
    const flat = { query, key, value, bias };
    const expected = await run(attention(flat, ['query', 'key', 'value', 'bias']), flat);
    const given = count === 3 ? { packed, bias } : { query, packed, bias };
    const order = count === 3 ? ['packed', undefined, undefined, 'bias'] : ['query', 'packed', undefined, 'bias'];
    const results = await run(expandContribOperators(attention(given, order)).model, given);
    expect(results.y!.dims).toEqual(expected.y!.dims);
    expected.y!.values.forEach((number, index) => {
      expect(results.y!.values[index]).toBeCloseTo(number, 5);
    });
  });

  it('GroupQueryAttention of sequences with an end, up to it', async () => {
    const ends = [5, 2];
    const lengths = integers(
      [2],
      ends.map((end) => end - 1),
    );
    const given: Case = {
      opType: 'GroupQueryAttention',
      inputs: [...GROUPED.slice(0, 5), lengths, LENGTHS[1]!],
      attributes: GROUPS,
    };
    const { model, feeds } = modelOf(given);
    const [expected, results] = [await run(model, feeds), await run(expandContribOperators(model).model, feeds)];
    expected.y0!.values.forEach((number, index) => {
      const [image, row] = [Math.floor(index / (5 * 64)), Math.floor(index / 64) % 5];
      if (row < ends[image]!) expect(results.y0!.values[index]).toBeCloseTo(number, 5);
    });
  });

  it('adds bias and skip', async () => {
    const build = new GraphBuilder();
    const inputs = ['x', 'bias', 'skip'].map((name) => build.input(name, 'float32', [2]));
    build.output(build.node('BiasAdd', inputs, { domain: 'com.microsoft', outputs: ['y'] })[0]!, { dtype: 'float32' });
    const { model } = expandContribOperators(build.build());
    const feeds = {
      x: tensorFrom('float32', [1, 2]),
      bias: tensorFrom('float32', [10, 20]),
      skip: tensorFrom('float32', [100, 200]),
    };
    expect((await run(model, feeds)).y!.values).toEqual([111, 222]);
  });

  it.each(['SimplifiedLayerNormalization', 'SkipLayerNormalization'])(
    '%s in a model of an old operator set',
    async (opType) => {
      const given: Case =
        opType === 'SimplifiedLayerNormalization'
          ? { opType, inputs: [[2, 3, 8], [8]], attributes: { axis: int(-1) }, domain: '' }
          : { opType, inputs: [[2, 3, 8], [2, 3, 8], [8], [8]] };
      const { model, feeds } = modelOf(given);
      const old = { ...model, opsets: model.opsets.map((set) => (set.domain === '' ? { ...set, version: 11 } : set)) };
      const written = expandContribOperators(old).model;
      expect(opsetOf(written)).toBe(17);
      const [expected, results] = [await run(old, feeds), await run(written, feeds)];
      expected.y0!.values.forEach((number, index) => {
        expect(results.y0!.values[index]).toBeCloseTo(number, 5);
      });
    },
  );

  it('leaves a model of standard operators as it is', () => {
    const build = new GraphBuilder();
    build.output(build.exp(build.input('x', 'float32', ['n'])));
    const model = build.build();
    expect(expandContribOperators(model)).toEqual({ model, changed: false });
  });

  it.each<[string, Case, RegExp]>([
    [
      'past states of open length',
      {
        opType: 'GroupQueryAttention',
        inputs: [[2, 5, 64], [2, 5, 32], [2, 5, 32], [2, 2, 3, 16], [2, 2, 3, 16], ...LENGTHS],
        attributes: GROUPS,
      },
      /a past state: fix its length/,
    ],
    [
      'shared buffers',
      {
        opType: 'MultiHeadAttention',
        inputs: [...OWN, undefined, undefined, undefined, ...PAST, integers([1], [4])],
        attributes: HEADS,
      },
      /a buffer that is shared/,
    ],
    [
      'mixed forms',
      {
        opType: 'MultiHeadAttention',
        inputs: [
          [2, 3, 8],
          [2, 2, 5, 4],
          [2, 5, 8],
        ],
        attributes: HEADS,
      },
      /this form of query, key and value/,
    ],
    [
      'heads that do not share the hidden size',
      { opType: 'MultiHeadAttention', inputs: OWN, attributes: { num_heads: int(3) } },
      /a hidden size of 8 for 3 heads/,
    ],
    [
      'heads of queries that do not share the keys',
      { opType: 'GroupQueryAttention', inputs: GROUPED, attributes: { num_heads: int(4), kv_num_heads: int(3) } },
      /3 heads of keys for 4 of queries/,
    ],
    [
      'no number of heads of keys',
      { opType: 'GroupQueryAttention', inputs: GROUPED, attributes: { num_heads: int(4) } },
      /kv_num_heads 0/,
    ],
    [
      'rotation inside of attention',
      { opType: 'Attention', inputs: PACKED, attributes: { ...HEADS, do_rotary: int(1) } },
      /do_rotary/,
    ],
    [
      'other masks',
      { opType: 'Attention', inputs: [...PACKED, integers([5], [1, 2, 0, 0, 1])], attributes: HEADS },
      /a mask of 1 dimensions/,
    ],
    [
      'other activations',
      {
        opType: 'FusedGemm',
        inputs: [
          [2, 3],
          [3, 4],
        ],
        attributes: { activation: string('Mish') },
      },
      /activation "Mish"/,
    ],
  ])('refuses %s, and names the node', (_, given, reason) => {
    expect(() => expandContribOperators(modelOf(given).model)).toThrow(reason);
    expect(() => expandContribOperators(modelOf(given).model)).toThrow(
      `${given.opType} (of "y0") is not expanded with`,
    );
  });
});
